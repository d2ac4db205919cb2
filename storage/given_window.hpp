// GivenWindow: the last sequences of one subject that its source has handed out, and the bound up to which it
// gave all that was there. An event that shows up in there afterwards came too late for whoever has passed
// it. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/event.hpp"
#include "core/types.hpp"

namespace cape::storage {

struct SequenceRange {  // first and last, both in it
  Sequence first = 0, last = 0;

  bool operator==(const SequenceRange&) const = default;
};

struct GivenWindow {
  static constexpr std::size_t sequences_max = 64;

  Sequence from = 1, to = 0;  // what the source had in [from, to] it has given; to < from: nothing is known
  std::vector<SequenceRange> runs;  // of it the sequences that are events, rising, sequences_max in all
  std::int64_t given_wall_s = 0;    // when the last of them was handed out: seconds since 1970

  bool empty() const { return to < from; }
  bool has(Sequence sequence) const;
  std::size_t size() const;  // events in it
  void clear() { *this = {}; }

  // The source has given `block`, of which no more than `proven_to` counts. Returns those of its events that
  // were not there when the source gave what lies round them, rising; they are in the window from now on.
  std::vector<Sequence> note(const EventBlock& block, Sequence proven_to, std::int64_t wall_s);

  bool operator==(const GivenWindow&) const = default;

 private:
  void put(Sequence sequence);
  void grow_up(const EventBlock& block, Sequence proven_to, std::int64_t wall_s);
};

}  // namespace cape::storage
