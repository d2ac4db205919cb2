// plugins/files/ledger.hpp
// Ledger is the source's database, STATE_DIR/files.db: what the tree looked like when it was last looked at,
// and the journal of changes. A change and what it does to the record are one transaction, so that a crash
// leaves a record from which the next comparison finds exactly the changes that are not journalled yet.
// Sequences rise over the whole journal, in the order of the commits, and every commit is synced: no event at
// or below a subject's `latest` can still appear, not even after a power cut.
//
//   subject, event  as in the built-in journal (storage/journal), so that one reader serves both
//   entry           one row a name: parent directory's id, name, what look() said; for directories their own
//   id fact            pruned_upto: events up to it are gone unless they are the last of a name that is
//   there;
//                   last_sequence
//
// At most `events_max` events are kept, and the last one of every name that is there.
// Thread: one at a time. Trouble leaves as sqlite_file::Trouble.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "event_text.hpp"
#include "facts.hpp"
#include "sqlite_file.hpp"

namespace files {

using DirectoryId = std::int64_t;
inline constexpr DirectoryId root_id = 1;

struct Key {  // of an entry
  DirectoryId parent = 0;
  std::string name;
  bool operator==(const Key& other) const { return parent == other.parent && name == other.name; }
};
struct Entry {
  DirectoryId directory = 0;  // its own id if it is one, else 0
  Facts facts;
  bool missing = false;       // not where it was, and not found elsewhere yet
  std::int64_t sequence = 0;  // of its last event
};
struct Recorded {
  Key key;
  Entry entry;
};

class Ledger {
 public:
  Ledger(const std::string& path, std::int64_t events_max);

  // Every directory recorded, parents in no order.
  void for_each_directory(const std::function<void(const Key&, DirectoryId)>& each);
  DirectoryId highest_directory();

  std::optional<Entry> find(const Key& key);
  std::vector<std::string> names_in(DirectoryId parent);  // in byte order
  // Entries with that inode number, wherever; at most `max`.
  std::vector<Recorded> with_inode(std::int64_t inode, int max);
  std::optional<Recorded> any_in(DirectoryId parent);
  std::optional<Key> any_missing();

  void begin();  // unless a transaction is open
  void put(const Key& key, const Entry& entry);
  void erase(const Key& key);
  void set_missing(const Key& key);
  void forget_missing();  // after a start: nothing is known to be missing
  // Adds an event to the subject and returns its sequence. `replaces`: what was the last event of that name,
  // or 0.
  std::int64_t journal(const std::string& subject, const Change& change, std::int64_t replaces);
  void supersede(std::int64_t sequence);  // it is no name's last event any more
  // Commits what was begun. Calls `each` with every subject that got events and its latest.
  void commit(const std::function<void(const std::string&, std::int64_t)>& each);
  void roll_back() noexcept;
  std::size_t pending() const { return pending_; }  // events since begin()

 private:
  std::int64_t subject_id(const std::string& subject);
  void prune();
  void drop_event(std::int64_t sequence);

  sqlite_file::Connection connection_;
  sqlite_file::Statement find_, names_, with_inode_, any_in_, any_missing_, put_, erase_, set_missing_;
  sqlite_file::Statement find_subject_, add_subject_, set_latest_, add_event_;
  sqlite_file::Statement find_event_, drop_event_, drop_subject_, oldest_, is_last_, set_fact_;
  std::int64_t events_max_;
  std::int64_t events_ = 0;  // kept
  std::int64_t last_sequence_ = 0, pruned_upto_ = 0;
  std::size_t pending_ = 0;
  std::set<std::string> touched_;
};

}  // namespace files
