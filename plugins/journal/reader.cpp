#include "reader.hpp"

#include <algorithm>
#include <cape/utf8.hpp>
#include <limits>
#include <utility>

namespace journal {
namespace {

// What is wrong with one subject alone: the rest of a batch is answered.
class SubjectFailure : public cape::Failure {
  using cape::Failure::Failure;
};

[[noreturn]] void fail_subject(std::string_view subject, cape_status status, const std::string& why) {
  throw SubjectFailure(cape::Outcome::of(status, "subject '" + std::string(subject) + "': " + why));
}

}  // namespace

// One snapshot from here on. Its end cannot fail for a reader; if it did, the next BEGIN reports it.
class Reader::Transaction {
 public:
  explicit Transaction(Reader& reader) : reader_(reader) {
    const sqlite_file::Reading run(reader_.begin_);
    reader_.begin_.step();
  }
  ~Transaction() {
    const sqlite_file::Reading run(reader_.commit_);
    try {
      reader_.commit_.step();
    } catch (const cape::Failure&) {
      return;
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

 private:
  Reader& reader_;
};

Reader::Reader(std::string path, const cape::Host& host)
    : host_(host),
      connection_(std::move(path), sqlite_file::Access::read),
      begin_(connection_, "BEGIN"),
      commit_(connection_, "COMMIT"),
      find_subject_(connection_, "SELECT id, latest FROM subject WHERE name = ?1"),
      read_events_(connection_,
                   "SELECT sequence, time_ns, type, payload FROM event "
                   "WHERE subject_id = ?1 AND sequence >= ?2 ORDER BY sequence"),
      list_subjects_(connection_,
                     "SELECT name, latest FROM subject WHERE name > ?1 COLLATE BINARY "
                     "ORDER BY name COLLATE BINARY") {}

std::optional<std::int64_t> Reader::latest(std::string_view subject) {
  const std::optional<Subject> found = find(subject);
  if (!found) return std::nullopt;
  return found->latest;
}

std::optional<cape::QueryAnswer> Reader::query(const cape::Query& query, cape::EventSink& events) {
  const Transaction transaction(*this);
  return answer(query, events);
}

void Reader::query_batch(cape::QueryBatch& batch) {
  const Transaction transaction(*this);
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    cape::EventSink events = batch.begin(i);
    try {
      batch.answer(i, answer(batch.query(i), events));
    } catch (const SubjectFailure& failure) {
      batch.fail(i, failure.outcome());
    }
  }
}

bool Reader::scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
  const sqlite_file::Reading run(list_subjects_);
  list_subjects_.bind_text(1, token);
  std::uint32_t emitted = 0;
  while (list_subjects_.step()) {
    if (emitted == subjects_max) return true;
    const std::string_view name = list_subjects_.bytes(0);
    if (!cape::is_utf8(name)) {
      skip(name);
      continue;
    }
    if (!subjects.emit(name, list_subjects_.integer(1))) return true;
    ++emitted;
  }
  return false;
}

void Reader::skip(std::string_view name) {
  if (std::exchange(warned_, true)) return;
  host_.log(CAPE_LOG_WARNING,
            "journal: subject '" + std::string(name) +
                "' is not UTF-8 and will not be delivered, nor others like it: delete its events");
}

std::optional<Reader::Subject> Reader::find(std::string_view name) {
  const sqlite_file::Reading run(find_subject_);
  find_subject_.bind_text(1, name);
  if (!find_subject_.step()) return std::nullopt;
  return Subject{find_subject_.integer(0), find_subject_.integer(1)};
}

std::optional<cape::QueryAnswer> Reader::answer(const cape::Query& query, cape::EventSink& events) {
  const std::optional<Subject> subject = find(query.subject);
  if (!subject) return std::nullopt;
  if (subject->latest == std::numeric_limits<std::int64_t>::max()) {
    fail_subject(query.subject, CAPE_FAILED,
                 "it has used the last sequence there is; no answer can go past it");
  }
  return read(*subject, query, events);
}

cape::QueryAnswer Reader::read(const Subject& subject, const cape::Query& query, cape::EventSink& events) {
  const sqlite_file::Reading run(read_events_);
  read_events_.bind(1, subject.id).bind(2, query.start);
  std::uint32_t emitted = 0;
  std::uint64_t bytes = 0;
  while (read_events_.step()) {
    const cape::SourceEvent event{read_events_.integer(0), read_events_.integer(1), read_events_.bytes(2),
                                  read_events_.bytes(3)};
    bytes += event.payload.size();
    // Rows are read in order, so an answer that ends before this one proves everything below it.
    const bool full = emitted == query.events_max || (emitted > 0 && bytes > query.bytes_max);
    if (full || !events.emit(event)) {
      if (emitted == 0 && !full) {
        fail_subject(query.subject, CAPE_LIMIT,
                     "event " + std::to_string(event.sequence) + " is too large for an answer");
      }
      return {event.sequence, subject.latest, true};
    }
    ++emitted;
  }
  return {std::max(query.start, subject.latest + 1), subject.latest, false};
}

}  // namespace journal
