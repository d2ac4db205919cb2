#include "storage/journal/journal_db.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/clock.hpp"
#include "storage/files.hpp"
#include "storage/journal/append_check.hpp"
#include "storage/journal/schema.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/migrate.hpp"

namespace cape::storage {
namespace {

constexpr std::int32_t busy_ms = 5'000;  // other programs insert in transactions of their own
constexpr std::array schema_versions = {journal_schema_version_1, journal_schema_version_2};
constexpr sqlite::Schema schema{
    .name = journal_schema_name, .application_id = journal_application_id, .versions = schema_versions};

// Durable when append() returns: a journal is a source of truth.
constexpr const char* tuning =
    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 33554432; PRAGMA trusted_schema = OFF";

struct SubjectRow {
  std::int64_t id = 0;
  Sequence latest = 0;
};

std::unexpected<Error> blame(std::span<const NewEvent> events, std::size_t index, std::string_view what) {
  const std::string subject = fmt::format("subject '{}'", printable(events[index].subject, 64));
  return fail(ErrorCode::invalid, events.size() == 1
                                      ? fmt::format("{}: {}", subject, what)
                                      : fmt::format("event {} ({}): {}", index, subject, what));
}

Result<void> check_all(std::span<const NewEvent> events, std::uint64_t payload_bytes_max) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string mistake = mistake_of(events[i], payload_bytes_max);
    if (!mistake.empty()) return blame(events, i, mistake);
  }
  return {};
}

Result<Sequence> next_sequence(std::span<const NewEvent> events, std::size_t index, Sequence latest) {
  const NewEvent& event = events[index];
  if (!event.sequence) {
    if (latest >= journal_sequence_max) return blame(events, index, "it has no sequence left");
    return latest + 1;
  }
  if (*event.sequence > latest) return *event.sequence;
  return blame(events, index,
               fmt::format("sequence {} is not above {}, the highest it ever had; give a higher one, or none "
                           "for the next",
                           *event.sequence, latest));
}

Result<void> set_payload_limit(sqlite::Database& db, std::uint64_t payload_bytes_max) {
  // Looked at first, so that an open needs the write lock only after the config has changed.
  const Result<std::int64_t> stored = db.integer("SELECT value FROM meta WHERE key = 'payload_bytes_max'");
  if (!stored) return std::unexpected(stored.error());
  if (*stored == static_cast<std::int64_t>(payload_bytes_max)) return {};
  return db.execute(
      fmt::format("INSERT OR REPLACE INTO meta VALUES ('payload_bytes_max', {})", payload_bytes_max).c_str());
}

}  // namespace

struct JournalDb::State {
  explicit State(sqlite::Database opened) : db(std::move(opened)) {}

  Result<void> prepare();
  Result<void> check_files() const;
  Result<std::optional<SubjectRow>> find(std::string_view name);
  Result<SubjectRow> find_or_add(std::string_view name);
  Result<void> insert(const NewEvent& event, std::int64_t subject_id, Sequence sequence);
  Result<void> raise_latest(const SubjectRow& subject);
  Result<std::vector<Sequence>> append_inside(std::span<const NewEvent> events);

  sqlite::Database db;
  std::vector<FileIdentity> files;  // database and log
  std::uint64_t payload_bytes_max = 0;
  sqlite::Statement select_subject, insert_subject, insert_event, update_latest, peek;
};

Result<void> JournalDb::State::prepare() {
  const struct {
    sqlite::Statement& statement;
    std::string_view sql;
  } wanted[] = {
      {select_subject, "SELECT id, latest FROM subject WHERE name = ?1"},
      {insert_subject, "INSERT INTO subject(name, latest) VALUES (?1, 0) RETURNING id"},
      {insert_event,
       "INSERT INTO event(subject_id, sequence, time_ns, type, payload) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {update_latest, "UPDATE subject SET latest = ?2 WHERE id = ?1"},
      {peek, "SELECT id FROM subject LIMIT 1"},
  };
  for (const auto& [statement, sql] : wanted) {
    Result<sqlite::Statement> prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  return {};
}

Result<void> JournalDb::State::check_files() const {
  const auto gone = std::ranges::find_if_not(files, &FileIdentity::still_holds);
  if (gone == files.end()) return {};
  return fail(ErrorCode::io,
              fmt::format("{} was deleted or replaced while it was open: put the same file back. "
                          "To restore a backup, stop what has it open first, and take the "
                          "journal's -wal and -shm away",
                          gone->file().string()));
}

Result<std::optional<SubjectRow>> JournalDb::State::find(std::string_view name) {
  const sqlite::ResetAtEnd reset{select_subject};
  select_subject.bind_text(1, name);
  const Result<bool> row = select_subject.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return SubjectRow{select_subject.integer(0), select_subject.integer(1)};
}

Result<SubjectRow> JournalDb::State::find_or_add(std::string_view name) {
  const Result<std::optional<SubjectRow>> known = find(name);
  if (!known) return std::unexpected(known.error());
  if (*known) return **known;
  const sqlite::ResetAtEnd reset{insert_subject};
  insert_subject.bind_text(1, name);
  const Result<bool> row = insert_subject.step();
  if (!row) return std::unexpected(row.error());
  return SubjectRow{insert_subject.integer(0), 0};
}

Result<void> JournalDb::State::insert(const NewEvent& event, std::int64_t subject_id, Sequence sequence) {
  insert_event.bind(1, subject_id);
  insert_event.bind(2, sequence);
  insert_event.bind(3, event.time_ns ? *event.time_ns : wall_ns());
  insert_event.bind_text(4, event.type);
  insert_event.bind_blob(5, event.payload);
  if (const Result<std::int64_t> rows = insert_event.run(); !rows) return std::unexpected(rows.error());
  return {};
}

Result<void> JournalDb::State::raise_latest(const SubjectRow& subject) {
  update_latest.bind(1, subject.id);
  update_latest.bind(2, subject.latest);
  if (const Result<std::int64_t> rows = update_latest.run(); !rows) return std::unexpected(rows.error());
  return {};
}

// Goes to the tables rather than through the view: each subject is looked up and raised once, not once an
// event.
Result<std::vector<Sequence>> JournalDb::State::append_inside(std::span<const NewEvent> events) {
  std::unordered_map<std::string_view, SubjectRow> subjects;
  std::vector<Sequence> sequences;
  sequences.reserve(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto subject = subjects.find(events[i].subject);
    if (subject == subjects.end()) {
      const Result<SubjectRow> row = find_or_add(events[i].subject);
      if (!row) return std::unexpected(row.error());
      subject = subjects.emplace(events[i].subject, *row).first;
    }
    const Result<Sequence> sequence = next_sequence(events, i, subject->second.latest);
    if (!sequence) return std::unexpected(sequence.error());
    if (Result<void> done = insert(events[i], subject->second.id, *sequence); !done)
      return std::unexpected(done.error());
    subject->second.latest = *sequence;
    sequences.push_back(*sequence);
  }
  for (const auto& [name, subject] : subjects) {
    if (Result<void> done = raise_latest(subject); !done) return std::unexpected(done.error());
  }
  return sequences;
}

Result<JournalDb> JournalDb::open(const fs::path& journal_dir, std::uint64_t payload_bytes_max) {
  // 0755 and 0644: the source's child reads it as another user.
  if (Result<void> made = make_directory(journal_dir, 0755); !made) return std::unexpected(made.error());
  const fs::path file = journal_dir / journal_file_name;
  if (Result<void> whole = refuse_orphaned_log(file); !whole) return std::unexpected(whole.error());
  if (Result<void> made = make_file(file, 0644); !made) return std::unexpected(made.error());
  Result<sqlite::Database> db = sqlite::Database::open(file, sqlite::Access::write, busy_ms);
  if (!db) return std::unexpected(db.error());
  if (Result<void> done = sqlite::migrate(*db, schema, file); !done) return std::unexpected(done.error());
  if (Result<void> done = db->use_wal(); !done) return std::unexpected(done.error());
  if (Result<void> done = db->execute(tuning); !done) return std::unexpected(done.error());
  if (Result<void> done = set_payload_limit(*db, payload_bytes_max); !done)
    return std::unexpected(done.error());

  auto state = std::make_unique<State>(std::move(*db));
  state->payload_bytes_max = payload_bytes_max;
  if (Result<void> done = state->prepare(); !done) return std::unexpected(done.error());
  JournalDb journal(std::move(state));
  if (Result<void> touched = journal.touch(); !touched)
    return std::unexpected(touched.error());  // makes the log
  for (const char* suffix : {"", "-wal"}) {
    Result<FileIdentity> identity = FileIdentity::of(file.native() + suffix);
    if (!identity) return std::unexpected(identity.error());
    journal.state_->files.push_back(std::move(*identity));
  }
  return journal;
}

JournalDb::JournalDb(std::unique_ptr<State> state) : state_(std::move(state)) {}
JournalDb::JournalDb(JournalDb&&) noexcept = default;
JournalDb& JournalDb::operator=(JournalDb&&) noexcept = default;
JournalDb::~JournalDb() = default;

Result<std::vector<Sequence>> JournalDb::append(std::span<const NewEvent> events) {
  if (Result<void> checked = check_all(events, state_->payload_bytes_max); !checked) {
    return std::unexpected(checked.error());
  }
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(state_->db);
  if (!transaction) return std::unexpected(transaction.error());
  Result<std::vector<Sequence>> sequences = state_->append_inside(events);
  if (!sequences) return sequences;
  // What is committed to a file that is gone must not count. Looked at before, so that it is not there if the
  // file comes back, and afterwards to be sure.
  if (Result<void> there = state_->check_files(); !there) return std::unexpected(there.error());
  if (Result<void> committed = transaction->commit(); !committed) return std::unexpected(committed.error());
  if (Result<void> there = state_->check_files(); !there) return std::unexpected(there.error());
  return sequences;
}

Result<void> JournalDb::touch() {
  if (Result<void> there = state_->check_files(); !there) return there;
  const sqlite::ResetAtEnd reset{state_->peek};
  if (const Result<bool> row = state_->peek.step(); !row) return std::unexpected(row.error());
  return {};
}

Result<Sequence> JournalDb::latest(std::string_view subject) {
  const Result<std::optional<SubjectRow>> row = state_->find(subject);
  if (!row) return std::unexpected(row.error());
  if (!*row)
    return fail(ErrorCode::not_found, fmt::format("the journal has no subject '{}'", printable(subject, 64)));
  return (*row)->latest;
}

}  // namespace cape::storage
