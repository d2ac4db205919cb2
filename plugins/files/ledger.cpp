#include "ledger.hpp"

#include <algorithm>

namespace files {
namespace {

using sqlite_file::Reading;

constexpr std::int64_t prune_slack = 1'000;
constexpr int prune_page = 4'000;

constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS subject(
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  latest INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS event(
  subject_id INTEGER NOT NULL,
  sequence   INTEGER NOT NULL,
  time_ns    INTEGER NOT NULL,
  type       TEXT NOT NULL,
  payload    BLOB NOT NULL,
  PRIMARY KEY(subject_id, sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS event_sequence ON event(sequence);
CREATE TABLE IF NOT EXISTS entry(
  parent    INTEGER NOT NULL,
  name      BLOB NOT NULL,
  directory INTEGER NOT NULL,
  kind      INTEGER NOT NULL,
  inode     INTEGER NOT NULL,
  birth_ns  INTEGER NOT NULL,
  size      INTEGER NOT NULL,
  mtime_ns  INTEGER NOT NULL,
  ctime_ns  INTEGER NOT NULL,
  seen_ns   INTEGER NOT NULL,
  missing   INTEGER NOT NULL,
  sequence  INTEGER NOT NULL,
  PRIMARY KEY(parent, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_inode ON entry(inode);
CREATE INDEX IF NOT EXISTS entry_missing ON entry(missing) WHERE missing;
CREATE INDEX IF NOT EXISTS entry_sequence ON entry(sequence);
CREATE TABLE IF NOT EXISTS fact(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
)sql";
constexpr std::int64_t schema_version = 1;

#define CAPE_FILES_ENTRY \
  "directory, kind, inode, birth_ns, size, mtime_ns, ctime_ns, seen_ns, missing, sequence"

sqlite_file::Connection open(const std::string& path) {
  sqlite_file::Connection connection(path);
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (version > schema_version)
    throw cape::Failure(cape::Outcome::retry(path +
                                             " was written by a newer version of this plugin (schema " +
                                             std::to_string(version) + "); use that version"));
  connection.run("BEGIN IMMEDIATE");
  connection.run(schema);
  connection.run("PRAGMA user_version = 1; COMMIT");
  return connection;
}

Entry read_entry(const sqlite_file::Statement& row, int first) {
  Entry entry;
  entry.directory = row.integer(first);
  entry.facts.kind = static_cast<std::uint32_t>(row.integer(first + 1));
  entry.facts.inode = row.integer(first + 2);
  entry.facts.birth_ns = row.integer(first + 3);
  entry.facts.size = row.integer(first + 4);
  entry.facts.mtime_ns = row.integer(first + 5);
  entry.facts.ctime_ns = row.integer(first + 6);
  entry.facts.seen_ns = row.integer(first + 7);
  entry.missing = row.integer(first + 8) != 0;
  entry.sequence = row.integer(first + 9);
  return entry;
}

}  // namespace

Ledger::Ledger(const std::string& path, std::int64_t events_max)
    : connection_(open(path)),
      find_(connection_, "SELECT " CAPE_FILES_ENTRY " FROM entry WHERE parent = ?1 AND name = ?2"),
      names_(connection_, "SELECT name FROM entry WHERE parent = ?1 ORDER BY name"),
      with_inode_(connection_,
                  "SELECT parent, name, " CAPE_FILES_ENTRY " FROM entry WHERE inode = ?1 LIMIT ?2"),
      any_in_(connection_, "SELECT name, " CAPE_FILES_ENTRY " FROM entry WHERE parent = ?1 LIMIT 1"),
      any_missing_(connection_, "SELECT parent, name FROM entry WHERE missing LIMIT 1"),
      put_(connection_, "INSERT OR REPLACE INTO entry(parent, name, " CAPE_FILES_ENTRY
                        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"),
      erase_(connection_, "DELETE FROM entry WHERE parent = ?1 AND name = ?2"),
      set_missing_(connection_, "UPDATE entry SET missing = 1 WHERE parent = ?1 AND name = ?2"),
      find_subject_(connection_, "SELECT id FROM subject WHERE name = ?1"),
      add_subject_(connection_, "INSERT INTO subject(name, latest) VALUES (?1, 0) RETURNING id"),
      set_latest_(connection_, "UPDATE subject SET latest = ?2 WHERE id = ?1"),
      add_event_(connection_, "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)"),
      find_event_(connection_, "SELECT subject_id FROM event WHERE sequence = ?1"),
      drop_event_(connection_, "DELETE FROM event WHERE subject_id = ?1 AND sequence = ?2"),
      drop_subject_(
          connection_,
          "DELETE FROM subject WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE subject_id = ?1)"),
      oldest_(connection_, "SELECT sequence FROM event WHERE sequence > ?1 ORDER BY sequence LIMIT ?2"),
      is_last_(connection_, "SELECT 1 FROM entry WHERE sequence = ?1 LIMIT 1"),
      set_fact_(connection_, "INSERT OR REPLACE INTO fact VALUES (?1, ?2)"),
      events_max_(events_max),
      events_(connection_.integer("SELECT count(*) FROM event")),
      last_sequence_(connection_.integer("SELECT value FROM fact WHERE key = 'last_sequence'")),
      pruned_upto_(connection_.integer("SELECT value FROM fact WHERE key = 'pruned_upto'")) {}

void Ledger::for_each_directory(const std::function<void(const Key&, DirectoryId)>& each) {
  sqlite_file::Statement rows(connection_, "SELECT parent, name, directory FROM entry WHERE directory > 0");
  while (rows.step()) each({rows.integer(0), std::string(rows.bytes(1))}, rows.integer(2));
}

DirectoryId Ledger::highest_directory() {
  return std::max(root_id, connection_.integer("SELECT max(directory) FROM entry"));
}

std::optional<Entry> Ledger::find(const Key& key) {
  const Reading reading(find_);
  find_.bind(1, key.parent).bind_blob(2, key.name);
  if (!find_.step()) return std::nullopt;
  return read_entry(find_, 0);
}

std::vector<std::string> Ledger::names_in(DirectoryId parent) {
  const Reading reading(names_);
  names_.bind(1, parent);
  std::vector<std::string> names;
  while (names_.step()) names.emplace_back(names_.bytes(0));
  return names;
}

std::vector<Recorded> Ledger::with_inode(std::int64_t inode, int max) {
  const Reading reading(with_inode_);
  with_inode_.bind(1, inode).bind(2, max);
  std::vector<Recorded> found;
  while (with_inode_.step())
    found.push_back(
        {{with_inode_.integer(0), std::string(with_inode_.bytes(1))}, read_entry(with_inode_, 2)});
  return found;
}

std::optional<Recorded> Ledger::any_in(DirectoryId parent) {
  const Reading reading(any_in_);
  any_in_.bind(1, parent);
  if (!any_in_.step()) return std::nullopt;
  return Recorded{{parent, std::string(any_in_.bytes(0))}, read_entry(any_in_, 1)};
}

std::optional<Key> Ledger::any_missing() {
  const Reading reading(any_missing_);
  if (!any_missing_.step()) return std::nullopt;
  return Key{any_missing_.integer(0), std::string(any_missing_.bytes(1))};
}

void Ledger::begin() {
  if (!connection_.in_transaction()) connection_.run("BEGIN IMMEDIATE");
}

void Ledger::put(const Key& key, const Entry& entry) {
  begin();
  const Facts& facts = entry.facts;
  put_.bind(1, key.parent).bind_blob(2, key.name).bind(3, entry.directory).bind(4, facts.kind);
  put_.bind(5, facts.inode).bind(6, facts.birth_ns).bind(7, facts.size).bind(8, facts.mtime_ns);
  put_.bind(9, facts.ctime_ns)
      .bind(10, facts.seen_ns)
      .bind(11, entry.missing ? 1 : 0)
      .bind(12, entry.sequence);
  put_.run();
}

void Ledger::erase(const Key& key) {
  begin();
  erase_.bind(1, key.parent).bind_blob(2, key.name).run();
}

void Ledger::set_missing(const Key& key) {
  begin();
  set_missing_.bind(1, key.parent).bind_blob(2, key.name).run();
}

void Ledger::forget_missing() {
  connection_.run("UPDATE entry SET missing = 0 WHERE missing");
}

std::int64_t Ledger::subject_id(const std::string& subject) {
  {
    const Reading reading(find_subject_);
    if (find_subject_.bind_text(1, subject).step()) return find_subject_.integer(0);
  }
  const Reading reading(add_subject_);
  add_subject_.bind_text(1, subject).step();
  return add_subject_.integer(0);
}

std::int64_t Ledger::journal(const std::string& subject, const Change& change, std::int64_t replaces) {
  begin();
  const std::int64_t id = subject_id(subject);
  const std::string payload = payload_of(change);
  const std::int64_t sequence = ++last_sequence_;
  add_event_.bind(1, id)
      .bind(2, sequence)
      .bind(3, now_ns())
      .bind_text(4, change.type)
      .bind_blob(5, payload)
      .run();
  set_latest_.bind(1, id).bind(2, sequence).run();
  ++events_;
  ++pending_;
  touched_.insert(subject);
  supersede(replaces);
  return sequence;
}

// Pruning has passed it by for its name's sake.
void Ledger::supersede(std::int64_t sequence) {
  if (sequence > 0 && sequence <= pruned_upto_) drop_event(sequence);
}

void Ledger::commit(const std::function<void(const std::string&, std::int64_t)>& each) {
  if (!connection_.in_transaction()) return;
  if (events_ > events_max_ + prune_slack) prune();
  set_fact_.bind_text(1, "last_sequence").bind(2, last_sequence_).run();
  connection_.run("COMMIT");
  pending_ = 0;
  for (const std::string& subject : touched_) each(subject, last_sequence_);
  touched_.clear();
}

void Ledger::roll_back() noexcept {
  connection_.roll_back();
}

// A page at a time, so that no commit takes long; what is left over goes with the next commits.
void Ledger::prune() {
  std::vector<std::int64_t> page;
  {
    const Reading reading(oldest_);
    oldest_.bind(1, pruned_upto_).bind(2, prune_page);
    while (oldest_.step()) page.push_back(oldest_.integer(0));
  }
  for (const std::int64_t sequence : page) {
    if (sequence > last_sequence_ - events_max_) break;
    pruned_upto_ = sequence;
    const Reading reading(is_last_);
    if (!is_last_.bind(1, sequence).step()) drop_event(sequence);
  }
  set_fact_.bind_text(1, "pruned_upto").bind(2, pruned_upto_).run();
}

void Ledger::drop_event(std::int64_t sequence) {
  std::int64_t subject = 0;
  {
    const Reading reading(find_event_);
    if (!find_event_.bind(1, sequence).step()) return;
    subject = find_event_.integer(0);
  }
  drop_event_.bind(1, subject).bind(2, sequence).run();
  drop_subject_.bind(1, subject).run();
  --events_;
}

}  // namespace files
