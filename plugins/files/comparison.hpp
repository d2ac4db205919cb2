// plugins/files/comparison.hpp
// Comparison holds the tree against the ledger and journals what is different. It looks at single names
// (after a hint) or at everything (at the start, after an overflow, and from time to time); both end in the
// same state, so nothing depends on notifications.
//
//   look_at     one name: what is there, what is recorded
//   settle      looks into the directories that turned up, then calls those missing deleted that were found
//               nowhere else: something that is gone here and there under another name was renamed
//
// A rename of a directory is journalled for it and for everything in it, in one transaction: the subject of a
// file is its directory. Other changes are committed in pieces, each of which leaves ledger and journal in
// agreement. Thread: one at a time.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "directories.hpp"
#include "fd.hpp"
#include "hints.hpp"
#include "ledger.hpp"
#include "watches.hpp"

namespace files {

// What is never looked at.
class Exclusions {
 public:
  // `ignored`: names, in any directory. A directory is Cape's data_dir if its state/domain/DOMAIN is
  // `state_dir`, told by inode, whatever path leads there.
  Exclusions(std::set<std::string> ignored, const std::string& state_dir, const std::string& domain);
  bool holds(int directory, const std::string& name, const Facts& facts) const;

 private:
  std::set<std::string> ignored_;
  std::string state_below_;
  std::uint64_t device_ = 0, inode_ = 0;
};

struct ComparisonParts {
  int root = -1;
  Ledger& ledger;
  Directories& directories;
  Watches& watches;
  const Exclusions& exclusions;
  const std::atomic<bool>& stopping;
  std::function<void()> commit;   // called between changes when enough have gathered
  std::function<void()> between;  // called after every directory
  std::function<void(const std::string&)> say;
};

class Comparison {
 public:
  explicit Comparison(ComparisonParts parts) : p_(std::move(parts)) {}

  void look_at(DirectoryId parent, const Hints::Names& names);
  void look_at_everything();
  void settle();

 private:
  struct Directory {
    DirectoryId id = 0;
    bool deep = false;  // and into every directory in it
  };
  void look_into(const Directory& directory);
  void look_at_name(int directory, const Key& key, bool moved);
  void compare(const Key& key, const Entry& known, const Facts& facts, bool moved);
  void compare_directory(const Key& key, const Entry& known, const Facts& facts, bool moved);
  void tell_again(DirectoryId id);
  void appear(const Key& key, const Facts& facts);
  std::optional<Recorded> find_moved(const Key& key, const Facts& facts);
  bool has_left(const Recorded& recorded);
  void move_file(const Recorded& from, const Key& to, const Facts& facts, std::int64_t replaces);
  void move_directory(const Recorded& from, const Key& to, const Facts& facts);
  void journal_moved(DirectoryId id, const std::string& from, const std::string& to);
  std::int64_t journal_move(const Entry& entry, const std::string& from, const std::string& to);
  void remove(const Key& key, const Entry& entry);
  void remove_one(const Key& key, const Entry& entry);
  std::int64_t journal(const Change& change, std::int64_t replaces);
  void commit_some();

  ComparisonParts p_;
  std::deque<Directory> to_look_into_;
  bool deep_ = false;  // of the directory that is being looked into
};

}  // namespace files
