// storage/journal/journal_db.hpp
// The built-in journal of a domain: data_dir/journal/DOMAIN/events.db, a SQLite database in WAL mode that any
// program may insert into with plain SQL in its own transaction:
//
//   INSERT INTO events(subject, type, payload) VALUES ('order/17', 'paid', '{...}');
//
// Columns: subject TEXT, sequence INTEGER, time_ns INTEGER, type TEXT, payload BLOB. A trigger gives the next
// sequence where it is NULL and the time where it is NULL, and refuses a sequence that is not above the
// subject's highest ever, a malformed subject and a payload over the domain's limit. Behind the view `events`
// lie denser tables (schema.sql).
// Thread: one at a time per JournalDb.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/types.hpp"

namespace cape::storage {

struct NewEvent {
  std::string subject;
  std::optional<Sequence> sequence;     // nullopt: the next one
  std::optional<std::int64_t> time_ns;  // nullopt: now
  std::string type;
  std::string payload;
};

class JournalDb {
 public:
  // Creates directory, database and schema if need be. `payload_bytes_max` becomes the trigger's limit.
  static Result<JournalDb> open(const fs::path& journal_dir, std::uint64_t payload_bytes_max);
  JournalDb(JournalDb&&) noexcept;
  JournalDb& operator=(JournalDb&&) noexcept;
  ~JournalDb();

  // All of them in one transaction, or none; none either once the file was deleted or replaced. Gives the
  // sequences in order. invalid: names the event (its place in the list) and what is wrong with it.
  Result<std::vector<Sequence>> append(std::span<const NewEvent> events);
  // One small read over a writing connection: keeps -wal and -shm in being, and repairs -shm after a writer
  // was killed in a commit, which a reading child cannot do.
  Result<void> touch();
  Result<Sequence> latest(std::string_view subject);  // not_found: no such subject

 private:
  struct State;
  explicit JournalDb(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cape::storage
