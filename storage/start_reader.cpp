#include "storage/start_reader.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace cape::storage {
namespace {

bool has_record_of(const CursorInfo& info, const std::string& topology) {
  return std::ranges::find(info.topologies, topology, &TopologyCursor::topology) != info.topologies.end();
}

void add_starts(const Baseline& baseline, Sequence latest, CursorInfo& info) {
  for (const std::string& topology : baseline.topologies)
    if (!has_record_of(info, topology)) info.starts.push_back({topology, latest});
}

}  // namespace

Result<StartReader> StartReader::open(sqlite::Database& db, DomainNames& domains) {
  StartReader reader;
  reader.domains_ = &domains;
  const struct {
    sqlite::Statement& statement;
    std::string_view sql;
  } wanted[] = {
      {reader.all_, "SELECT id, domain, token, subjects, done FROM baseline ORDER BY id"},
      {reader.topologies_, "SELECT baseline, topology FROM baseline_topology ORDER BY topology"},
      {reader.one_, "SELECT latest FROM baseline_start WHERE baseline = ?1 AND subject = ?2"},
      {reader.page_,
       "SELECT subject, latest FROM baseline_start WHERE baseline = ?1 AND subject > ?2 ORDER BY subject "
       "LIMIT ?3"},
  };
  for (const auto& [statement, sql] : wanted) {
    Result<sqlite::Statement> prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  return reader;
}

Result<void> StartReader::know() {
  if (known_) return {};
  std::vector<Known> known;
  const sqlite::ResetAtEnd reset{all_};
  while (true) {
    const Result<bool> row = all_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    Result<std::string> domain = domains_->name_of(all_.integer(1));
    if (!domain) return std::unexpected(domain.error());
    known.push_back({all_.integer(1),
                     {.id = static_cast<std::uint64_t>(all_.integer(0)),
                      .domain = std::move(*domain),
                      .topologies = {},
                      .token = std::string(all_.text(2)),
                      .subjects = static_cast<std::uint64_t>(all_.integer(3)),
                      .done = all_.integer(4) != 0}});
  }
  const sqlite::ResetAtEnd reset_topologies{topologies_};
  while (true) {
    const Result<bool> row = topologies_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto id = static_cast<std::uint64_t>(topologies_.integer(0));
    for (Known& k : known)
      if (k.baseline.id == id) k.baseline.topologies.emplace_back(topologies_.text(1));
  }
  known_ = std::move(known);
  return {};
}

Result<std::vector<Baseline>> StartReader::all() {
  forget();
  if (Result<void> done = know(); !done) return std::unexpected(done.error());
  std::vector<Baseline> found;
  for (const Known& known : *known_) found.push_back(known.baseline);
  return found;
}

Result<std::optional<Sequence>> StartReader::latest_of(const Baseline& baseline, std::string_view subject) {
  const sqlite::ResetAtEnd reset{one_};
  one_.bind(1, static_cast<std::int64_t>(baseline.id));
  one_.bind_text(2, subject);
  const Result<bool> row = one_.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return one_.integer(0);
}

Result<void> StartReader::add_to(std::int64_t domain_id, StoredSubject& record) {
  if (Result<void> done = know(); !done) return done;
  for (const Known& known : *known_) {
    const Baseline& baseline = known.baseline;
    const bool is_wanted = known.domain_id == domain_id &&
                           !std::ranges::all_of(baseline.topologies, [&](const std::string& topology) {
                             return has_record_of(record.info, topology);
                           });
    if (!is_wanted) continue;
    const auto latest = latest_of(baseline, record.subject);
    if (!latest) return std::unexpected(latest.error());
    if (*latest) add_starts(baseline, **latest, record.info);
  }
  return {};
}

Result<std::optional<StoredSubject>> StartReader::without_record(std::int64_t domain_id,
                                                                 std::string_view domain,
                                                                 std::string_view subject) {
  StoredSubject found{.domain = std::string(domain), .subject = std::string(subject), .info = {}};
  if (Result<void> done = add_to(domain_id, found); !done) return std::unexpected(done.error());
  if (found.info.starts.empty()) return std::nullopt;
  return found;
}

Result<std::vector<StoredSubject>> StartReader::merged_with(std::vector<StoredSubject> records,
                                                            const Range& range) {
  if (Result<void> done = know(); !done) return std::unexpected(done.error());
  for (const Known& known : *known_) {
    if (known.domain_id != range.domain_id) continue;
    if (Result<void> done = merge(known.baseline, range, records); !done)
      return std::unexpected(done.error());
  }
  return records;
}

// Both lists rise by subject, and each has its first `limit`, so the first `limit` of all are among them.
Result<void> StartReader::merge(const Baseline& baseline, const Range& range,
                                std::vector<StoredSubject>& subjects) {
  const sqlite::ResetAtEnd reset{page_};
  page_.bind(1, static_cast<std::int64_t>(baseline.id));
  page_.bind_text(2, range.after);
  page_.bind(3, static_cast<std::int64_t>(
                    std::min<std::size_t>(range.limit, std::numeric_limits<std::int32_t>::max())));
  std::vector<StoredSubject> merged;
  auto next = subjects.begin();
  while (true) {
    const Result<bool> row = page_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const std::string_view subject = page_.text(0);
    if (!range.upto.empty() && subject > range.upto) break;
    while (next != subjects.end() && next->subject < subject) merged.push_back(std::move(*next++));
    if (next != subjects.end() && next->subject == subject)
      add_starts(baseline, page_.integer(1), next->info);
    else
      add_starts(baseline, page_.integer(1),
                 merged
                     .emplace_back(StoredSubject{
                         .domain = std::string(range.domain), .subject = std::string(subject), .info = {}})
                     .info);
  }
  std::ranges::move(next, subjects.end(), std::back_inserter(merged));
  if (merged.size() > range.limit) merged.resize(range.limit);
  subjects = std::move(merged);
  return {};
}

}  // namespace cape::storage
