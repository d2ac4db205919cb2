// plugins/files/hints.hpp
// Hints are the names that inotify has told about and that were not looked at yet, each with the time when to
// look: soon, so that the few notifications of one change are one look; a file that is still being written,
// once a second. Pure. Bounded: beyond names_max everything is forgotten and the whole tree is to be
// compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "ledger.hpp"

namespace files {

class Hints {
 public:
  static constexpr std::size_t names_max = 20'000;
  static constexpr std::int64_t settle_ns = 40'000'000;
  static constexpr std::int64_t writing_ns = 1'000'000'000;

  // By name: whether it was moved, from there or to there.
  using Names = std::map<std::string, bool>;

  // Times are of the monotonic clock.
  void changed(const Key& key, bool moved, std::int64_t now_ns) { add(key, {now_ns + settle_ns, moved}); }
  void being_written(const Key& key, std::int64_t now_ns) { add(key, {now_ns + writing_ns, false}); }
  void compare_all() {
    names_.clear();
    size_ = 0;
    all_ = true;
  }
  // Everything is about to be looked at.
  void clear() {
    compare_all();
    all_ = false;
  }

  bool all() const { return all_; }
  std::optional<std::int64_t> next_due_ns() const;
  // What is due by `now_ns`, by directory; it is forgotten here.
  std::map<DirectoryId, Names> take(std::int64_t now_ns);

 private:
  struct Hint {
    std::int64_t due_ns = 0;
    bool moved = false;
  };
  void add(const Key& key, const Hint& hint);

  std::map<DirectoryId, std::map<std::string, Hint>> names_;
  std::size_t size_ = 0;
  bool all_ = false;
};

}  // namespace files
