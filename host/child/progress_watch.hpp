// host/child/progress_watch.hpp
// ProgressWatch tells since when the event that a child runs has been running, from the words that the child
// writes itself. Only what rises counts, and only up to what was given: a plugin that writes them to and fro,
// or beats for ever while nothing runs, puts nothing off. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "host/child/given_jobs.hpp"

namespace cape::child {

class ProgressWatch {
 public:
  struct Look {
    ChildWords words;  // as far as they are believed
    std::int64_t started_ns = 0, heartbeat_ns = 0;
  };
  // `given`: events that the child got so far, which bounds both words.
  Look look(const ChildWords& words, std::uint64_t heartbeat, std::uint64_t given, std::int64_t now_ns);
  // It gets work after it had none: the time before is no event's.
  void restart() { restarted_ = true; }

 private:
  bool advance(const ChildWords& words, std::uint64_t given);

  ChildWords furthest_;
  std::optional<std::uint64_t>
      flushed_at_;  // where the two words stood, added, when a flush was last seen to begin
  std::uint64_t heartbeat_ = 0;
  bool restarted_ = true;
  std::int64_t started_ns_ = 0, heartbeat_ns_ = 0;
};

}  // namespace cape::child
