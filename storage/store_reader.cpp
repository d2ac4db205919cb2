#include "storage/store_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "storage/canary_row.hpp"
#include "storage/store_schema.hpp"

namespace cape::storage {
namespace {

constexpr std::int32_t reader_busy_ms = 2'000;  // readers wait for a recovery of the log alone

std::int64_t as_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

Result<std::unique_ptr<StoreReader>> StoreReader::open(const fs::path& data_dir) {
  const fs::path file = data_dir / store_file_name;
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    return fail(ErrorCode::not_found,
                fmt::format("there is no store in {} yet: run `cape up` first", data_dir.string()));
  }
  Result<sqlite::Database> db = sqlite::Database::open(file, sqlite::Access::read, reader_busy_ms);
  if (!db) return std::unexpected(db.error());
  std::unique_ptr<StoreReader> reader(new StoreReader(std::move(*db)));
  if (Result<void> known = sqlite::require_newest(reader->db_, store_schema(), file); !known) {
    return std::unexpected(known.error());
  }
  if (Result<void> prepared = reader->prepare(); !prepared) return std::unexpected(prepared.error());
  return reader;
}

Result<void> StoreReader::prepare() {
  const struct {
    sqlite::Statement& statement;
    std::string_view sql;
  } wanted[] = {
      {load_,
       "SELECT id, domain, subject, behind, record FROM cursor_info WHERE domain = ?1 AND subject = ?2"},
      {range_,
       "SELECT id, domain, subject, behind, record FROM cursor_info WHERE domain = ?1 AND subject > ?2"
       " ORDER BY subject LIMIT ?3"},
      {range_upto_,
       "SELECT id, domain, subject, behind, record FROM cursor_info WHERE domain = ?1 AND subject > ?2"
       " AND subject <= ?4 ORDER BY subject LIMIT ?3"},
      {behind_,
       "SELECT id, domain, subject, behind, record FROM cursor_info WHERE behind = 1 AND id > ?1 ORDER BY id "
       "LIMIT ?2"},
      {inbox_,
       "SELECT domain, subject, generation FROM inbox WHERE (domain, subject) > (?1, ?2)"
       " ORDER BY domain, subject LIMIT ?3"},
      {leases_, "SELECT host, session, lease_ms FROM host_lease ORDER BY host"},
      {paused_, "SELECT topology, reason FROM paused_topology ORDER BY topology"},
      {pins_, "SELECT plugin, version, hash, since_wall_ns, reason FROM pin ORDER BY plugin"},
      {audit_,
       "SELECT time_ns, act, domain, subject, topology, from_sequence, to_sequence, reason FROM audit"
       " WHERE ?1 = '' OR topology = ?1 ORDER BY id DESC LIMIT ?2"},
      {coverage_,
       "SELECT domain, topology, proven_wall_ns, subjects, exceptions, stuck FROM coverage"
       " ORDER BY domain, topology"},
      {canaries_, read_canaries_sql},
      {replays_,
       "SELECT id, name, topology, subject, from_sequence, to_sequence, state, cancelled, token, subjects, done,"
       " parked, events, started_wall_ns, ended_wall_ns, reason FROM replay ORDER BY id"},
  };
  for (const auto& [statement, sql] : wanted) {
    Result<sqlite::Statement> prepared = db_.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  Result<DomainNames> domains = DomainNames::open(db_);
  if (!domains) return std::unexpected(domains.error());
  domains_ = std::move(*domains);
  Result<StartReader> starts = StartReader::open(db_, *domains_);
  if (!starts) return std::unexpected(starts.error());
  starts_ = std::move(*starts);
  return {};
}

Result<std::uint32_t> StoreReader::epoch() {
  const Result<std::int64_t> epoch = db_.integer("SELECT value FROM meta WHERE key = 'epoch'");
  if (!epoch) return std::unexpected(epoch.error());
  return static_cast<std::uint32_t>(*epoch);
}

Result<std::optional<StoredSubject>> StoreReader::load(std::string_view domain, std::string_view subject) {
  const Result<std::optional<std::int64_t>> id = domains_->find(domain);
  if (!id) return std::unexpected(id.error());
  if (!*id) return std::nullopt;
  load_.bind(1, **id);
  load_.bind_text(2, subject);
  Result<std::vector<StoredSubject>> found = collect(load_);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return starts_->without_record(**id, domain, subject);
  if (Result<void> added = starts_->add_to(**id, found->front()); !added)
    return std::unexpected(added.error());
  return std::move(found->front());
}

Result<std::vector<StoredSubject>> StoreReader::range(std::string_view domain, std::string_view after,
                                                      std::string_view upto, std::size_t limit) {
  const Result<std::optional<std::int64_t>> id = domains_->find(domain);
  if (!id) return std::unexpected(id.error());
  if (!*id) return std::vector<StoredSubject>();
  sqlite::Statement& statement = upto.empty() ? range_ : range_upto_;
  statement.bind(1, **id);
  statement.bind_text(2, after);
  statement.bind(3, as_limit(limit));
  if (!upto.empty()) statement.bind_text(4, upto);
  Result<std::vector<StoredSubject>> records = collect(statement);
  if (!records) return records;
  return starts_->merged_with(
      std::move(*records),
      {.domain_id = **id, .domain = domain, .after = after, .upto = upto, .limit = limit});
}

Result<std::vector<StoredSubject>> StoreReader::behind(SubjectId after, std::size_t limit) {
  if (after > static_cast<SubjectId>(std::numeric_limits<std::int64_t>::max()))
    return std::vector<StoredSubject>();
  behind_.bind(1, static_cast<std::int64_t>(after));
  behind_.bind(2, as_limit(limit));
  Result<std::vector<StoredSubject>> records = collect(behind_);
  if (!records) return records;
  for (StoredSubject& record : *records) {
    const Result<std::optional<std::int64_t>> id = domains_->find(record.domain);
    if (!id) return std::unexpected(id.error());
    if (Result<void> added = starts_->add_to(**id, record); !added) return std::unexpected(added.error());
  }
  return records;
}

Result<std::vector<StoredSubject>> StoreReader::collect(sqlite::Statement& statement) {
  const sqlite::ResetAtEnd reset{statement};
  std::vector<StoredSubject> records;
  while (true) {
    const Result<bool> row = statement.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return records;
    Result<StoredSubject> record = record_of(statement);
    if (!record) return std::unexpected(record.error());
    records.push_back(std::move(*record));
  }
}

Result<StoredSubject> StoreReader::record_of(const sqlite::Statement& row) {
  Result<std::string> domain = domains_->name_of(row.integer(1));
  if (!domain) return std::unexpected(domain.error());
  Result<CursorInfo> info = decode_cursor_info(row.blob(4));
  if (!info) {
    return fail(ErrorCode::io,
                fmt::format("record {} ({} '{}') is damaged: {}; restore {} from a backup", row.integer(0),
                            *domain, printable(row.text(2), 64), info.error().message, store_file_name));
  }
  return StoredSubject{.id = static_cast<SubjectId>(row.integer(0)),
                       .domain = std::move(*domain),
                       .subject = std::string(row.text(2)),
                       .behind = row.integer(3) != 0,
                       .info = std::move(*info)};
}

Result<std::vector<InboxRow>> StoreReader::inbox(std::size_t limit, std::string_view after_domain,
                                                 std::string_view after_subject) {
  const Result<std::optional<std::int64_t>> after_id = domains_->find(after_domain);
  if (!after_id) return std::unexpected(after_id.error());
  const sqlite::ResetAtEnd reset{inbox_};
  inbox_.bind(1, after_id->value_or(0));  // ids begin at 1
  inbox_.bind_text(2, after_subject);
  inbox_.bind(3, as_limit(limit));
  std::vector<InboxRow> rows;
  while (true) {
    const Result<bool> row = inbox_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return rows;
    Result<std::string> domain = domains_->name_of(inbox_.integer(0));
    if (!domain) return std::unexpected(domain.error());
    rows.push_back(
        {std::move(*domain), std::string(inbox_.text(1)), static_cast<std::uint64_t>(inbox_.integer(2))});
  }
}

Result<std::vector<HostLease>> StoreReader::leases() {
  const sqlite::ResetAtEnd reset{leases_};
  std::vector<HostLease> found;
  while (true) {
    const Result<bool> row = leases_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    found.push_back({.host = std::string(leases_.text(0)),
                     .session = static_cast<SessionId>(leases_.integer(1)),
                     .lease_ms = leases_.integer(2)});
  }
}

Result<std::vector<PausedTopology>> StoreReader::paused_topologies() {
  const sqlite::ResetAtEnd reset{paused_};
  std::vector<PausedTopology> found;
  while (true) {
    const Result<bool> row = paused_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    found.push_back({.topology = std::string(paused_.text(0)),
                     .paused = true,
                     .reason = std::string(paused_.text(1))});
  }
}

Result<std::vector<Pin>> StoreReader::pins() {
  const sqlite::ResetAtEnd reset{pins_};
  std::vector<Pin> found;
  while (true) {
    const Result<bool> row = pins_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    found.push_back({.plugin = std::string(pins_.text(0)),
                     .version = std::string(pins_.text(1)),
                     .hash = std::string(pins_.text(2)),
                     .since_wall_ns = pins_.integer(3),
                     .reason = std::string(pins_.text(4))});
  }
}

Result<std::vector<CoverageRow>> StoreReader::coverage() {
  const sqlite::ResetAtEnd reset{coverage_};
  std::vector<CoverageRow> found;
  while (true) {
    const Result<bool> row = coverage_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    Result<std::string> domain = domains_->name_of(coverage_.integer(0));
    if (!domain) return std::unexpected(domain.error());
    found.push_back({.domain = std::move(*domain),
                     .topology = std::string(coverage_.text(1)),
                     .proven_wall_ns = coverage_.integer(2),
                     .subjects = static_cast<std::uint64_t>(coverage_.integer(3)),
                     .exceptions = static_cast<std::uint64_t>(coverage_.integer(4)),
                     .stuck = static_cast<std::uint64_t>(coverage_.integer(5))});
  }
}

Result<std::vector<Replay>> StoreReader::replays() {
  const sqlite::ResetAtEnd reset{replays_};
  std::vector<Replay> found;
  while (true) {
    const Result<bool> row = replays_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    const auto count = [&](int column) { return static_cast<std::uint64_t>(replays_.integer(column)); };
    const auto text = [&](int column) { return std::string(replays_.text(column)); };
    found.push_back({.id = count(0),
                     .name = text(1),
                     .topology = text(2),
                     .subject = text(3),
                     .from = replays_.integer(4),
                     .to = replays_.integer(5),
                     .state = static_cast<Replay::State>(std::clamp<std::int64_t>(
                         replays_.integer(6), 0, static_cast<std::int64_t>(Replay::State::ended))),
                     .cancelled = replays_.integer(7) != 0,
                     .token = text(8),
                     .subjects = count(9),
                     .done = count(10),
                     .parked = count(11),
                     .events = count(12),
                     .started_wall_ns = replays_.integer(13),
                     .ended_wall_ns = replays_.integer(14),
                     .reason = text(15)});
  }
}

Result<std::vector<Canary>> StoreReader::canaries() {
  return read_canaries(canaries_);
}

Result<std::vector<AuditEntry>> StoreReader::audit(std::string_view topology, std::size_t limit) {
  const sqlite::ResetAtEnd reset{audit_};
  audit_.bind_text(1, topology);
  audit_.bind(2, static_cast<std::int64_t>(limit));
  std::vector<AuditEntry> found;
  while (true) {
    const Result<bool> row = audit_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    found.push_back({.time_ns = audit_.integer(0),
                     .act = std::string(audit_.text(1)),
                     .domain = std::string(audit_.text(2)),
                     .subject = std::string(audit_.text(3)),
                     .topology = std::string(audit_.text(4)),
                     .from = audit_.integer(5),
                     .to = audit_.integer(6),
                     .reason = std::string(audit_.text(7))});
  }
}

}  // namespace cape::storage
