#include "storage/row_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "core/config/shadow.hpp"
#include "storage/canary_row.hpp"
#include "storage/cursor_info.hpp"
#include "storage/slot.hpp"

namespace cape::storage {
namespace {

constexpr std::uint64_t stored_max = std::numeric_limits<std::int64_t>::max();

std::string_view mistake_of_names(std::string_view domain, std::string_view subject) {
  if (domain.size() > name_bytes_max || !subject_mistake(domain).empty()) return "its domain is not a name";
  return subject_mistake(subject);
}

std::string_view mistake_of(const CursorWrite& write) {
  if (write.id == 0 || write.id > stored_max) return "its id is out of range";
  if (const std::string_view mistake = mistake_of_names(write.domain, write.subject); !mistake.empty())
    return mistake;
  return mistake_of(write.info);
}

std::unexpected<Error> blame(const CursorWrite& write, ErrorCode code, std::string_view what) {
  return fail(code, fmt::format("cursor record {} ({} '{}') cannot be stored: {}", write.id,
                                printable(write.domain, 64), printable(write.subject, 64), what));
}

// The last write of each record, by id: in key order a page is visited once, which is most of the cost.
std::vector<const CursorWrite*> in_key_order(Group group) {
  std::vector<const CursorWrite*> writes;
  for (const WriteBatch* batch : group) {
    for (const CursorWrite& write : batch->cursors) writes.push_back(&write);
  }
  std::ranges::stable_sort(writes, {}, &CursorWrite::id);
  const auto superseded = [](const CursorWrite* a, const CursorWrite* b) { return a->id == b->id; };
  // unique() keeps the first of equals, so it runs from the back to keep the newest.
  const auto kept = std::unique(writes.rbegin(), writes.rend(), superseded).base();
  writes.erase(writes.begin(), kept);
  return writes;
}

}  // namespace

Result<RowWriter> RowWriter::open(sqlite::Database& db, SubjectId highest_id) {
  Result<DomainNames> domains = DomainNames::open(db);
  if (!domains) return std::unexpected(domains.error());
  RowWriter writer(std::move(*domains));
  writer.highest_id_ = highest_id;
  Statements& s = writer.statements_;
  const struct {
    sqlite::Statement& statement;
    std::string_view sql;
  } wanted[] = {
      {s.insert_cursor,
       "INSERT INTO cursor_info(id, latest, record, domain, subject, behind, slot) VALUES (?1, ?2, ?3, ?4, "
       "?5, ?6, ?7)"},
      // The unary plus keeps SQLite from finding the row through the text index instead of its key.
      {s.update_cursor,
       "UPDATE cursor_info SET latest = ?2, record = ?3"
       " WHERE id = ?1 AND +domain = ?4 AND +subject = ?5 AND +behind = ?6"},
      {s.turn_cursor,
       "UPDATE cursor_info SET latest = ?2, record = ?3, behind = ?6 WHERE id = ?1 AND +domain = ?4 AND "
       "+subject = ?5"},
      {s.upsert_inbox,
       "INSERT INTO inbox(domain, subject, generation) VALUES (?1, ?2, ?3)"
       " ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation)"},
      {s.clear_inbox, "DELETE FROM inbox WHERE domain = ?1 AND subject = ?2 AND generation <= ?3"},
      {s.upsert_lease,
       "INSERT INTO host_lease(host, session, lease_ms) VALUES (?1, ?2, ?3)"
       " ON CONFLICT DO UPDATE SET session = excluded.session, lease_ms = excluded.lease_ms"},
      {s.remove_lease, "DELETE FROM host_lease WHERE host = ?1"},
      {s.pause_topology,
       "INSERT INTO paused_topology(topology, reason) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET reason = "
       "excluded.reason"},
      {s.resume_topology, "DELETE FROM paused_topology WHERE topology = ?1"},
      {s.put_pin,
       "INSERT OR REPLACE INTO pin(plugin, version, hash, since_wall_ns, reason) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {s.remove_pin, "DELETE FROM pin WHERE plugin = ?1"},
      {s.add_audit,
       "INSERT INTO audit(time_ns, act, domain, subject, topology, from_sequence, to_sequence, reason)"
       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
      {s.put_baseline,
       "INSERT INTO baseline(id, domain, token, subjects, done) VALUES (?1, ?2, ?3, ?4, ?5)"
       " ON CONFLICT DO UPDATE SET token = excluded.token, subjects = excluded.subjects, done = "
       "excluded.done"},
      // What is fixed stays, whoever asks again.
      {s.add_baseline_topology,
       "INSERT INTO baseline_topology(domain, topology, baseline) VALUES (?1, ?2, ?3) ON CONFLICT DO "
       "NOTHING"},
      {s.add_baseline_start,
       "INSERT INTO baseline_start(baseline, subject, latest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"},
      {s.put_coverage,
       "INSERT OR REPLACE INTO coverage(domain, topology, proven_wall_ns, subjects, exceptions, stuck)"
       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      {s.put_replay,
       "INSERT OR REPLACE INTO replay(id, name, topology, subject, from_sequence, to_sequence, state, cancelled,"
       " token, subjects, done, parked, events, started_wall_ns, ended_wall_ns, reason)"
       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"},
      {s.forget_replays,
       "DELETE FROM replay WHERE ended_wall_ns <> 0 AND id <="
       " (SELECT id FROM replay WHERE ended_wall_ns <> 0 ORDER BY id DESC LIMIT 1 OFFSET ?1)"},
      {s.put_canary, put_canary_sql},
      {s.remove_cursor, "DELETE FROM cursor_info WHERE id = ?1"},
  };
  for (const auto& [statement, sql] : wanted) {
    Result<sqlite::Statement> prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  return writer;
}

void RowWriter::rolled_back() {
  domains_.forget();
}

Result<void> RowWriter::apply(Group group) {
  if (Result<void> done = apply_cursors(group); !done) return done;
  if (Result<void> done = apply_inbox(group); !done) return done;
  for (const WriteBatch* batch : group) {
    if (Result<void> done = apply_leases(*batch); !done) return done;
    if (Result<void> done = apply_operators(*batch); !done) return done;
    for (const BaselinePage& page : batch->baselines)
      if (Result<void> done = apply_baseline(page); !done) return done;
    for (const CoverageRow& row : batch->coverage)
      if (Result<void> done = apply_coverage(row); !done) return done;
    for (const ReplayPage& page : batch->replays)
      if (Result<void> done = apply_replay(page); !done) return done;
    for (const Canary& canary : batch->canaries)
      if (Result<void> done = apply_canary(canary); !done) return done;
  }
  return {};
}

Result<void> RowWriter::apply_cursors(Group group) {
  for (const CursorWrite* write : in_key_order(group)) {
    if (Result<void> done = apply_cursor(*write); !done) return done;
  }
  return {};
}

Result<void> RowWriter::apply_cursor(const CursorWrite& write) {
  if (const std::string_view mistake = mistake_of(write); !mistake.empty()) {
    return blame(write, ErrorCode::invalid, mistake);
  }
  const Result<std::int64_t> domain = domains_.find_or_add(write.domain);
  if (!domain) return std::unexpected(domain.error());
  const std::string record = encode(write.info);
  if (write.id <= highest_id_) {
    const Result<bool> updated = update_cursor(write, *domain, record);
    if (!updated) return std::unexpected(updated.error());
    if (*updated) return {};
  }
  return insert_cursor(write, *domain, record);
}

// False: no such row.
Result<bool> RowWriter::update_cursor(const CursorWrite& write, std::int64_t domain,
                                      std::string_view record) {
  // First the form that leaves `behind` and so its index alone: it is what nearly every write needs.
  for (sqlite::Statement* statement : {&statements_.update_cursor, &statements_.turn_cursor}) {
    statement->bind(1, static_cast<std::int64_t>(write.id));
    statement->bind(2, write.info.latest);
    statement->bind_blob(3, record);
    statement->bind(4, domain);
    statement->bind_text(5, write.subject);
    statement->bind(6, write.behind ? 1 : 0);
    const Result<std::int64_t> rows = statement->run();
    if (!rows) return std::unexpected(rows.error());
    if (*rows == 1) return true;
  }
  return false;
}

Result<void> RowWriter::insert_cursor(const CursorWrite& write, std::int64_t domain,
                                      std::string_view record) {
  sqlite::Statement& insert = statements_.insert_cursor;
  insert.bind(1, static_cast<std::int64_t>(write.id));
  insert.bind(2, write.info.latest);
  insert.bind_blob(3, record);
  insert.bind(4, domain);
  insert.bind_text(5, write.subject);
  insert.bind(6, write.behind ? 1 : 0);
  insert.bind(7, slot_of(write.domain, write.subject));
  const Result<std::int64_t> rows = insert.run();
  if (rows) {
    highest_id_ = std::max(highest_id_, write.id);
    return {};
  }
  if (rows.error().code != ErrorCode::conflict) return std::unexpected(rows.error());
  return blame(write, ErrorCode::conflict, "the id or the subject belongs to another record");
}

Result<void> RowWriter::apply_leases(const WriteBatch& batch) {
  for (const HostLease& lease : batch.leases) {
    sqlite::Statement& upsert = statements_.upsert_lease;
    upsert.bind_text(1, lease.host);
    upsert.bind(2, static_cast<std::int64_t>(lease.session));
    upsert.bind(3, lease.lease_ms);
    if (const Result<std::int64_t> rows = upsert.run(); !rows) return std::unexpected(rows.error());
  }
  for (const std::string& host : batch.leases_removed) {
    statements_.remove_lease.bind_text(1, host);
    if (const Result<std::int64_t> rows = statements_.remove_lease.run(); !rows)
      return std::unexpected(rows.error());
  }
  return {};
}

Result<void> RowWriter::apply_operators(const WriteBatch& batch) {
  for (const PausedTopology& topology : batch.paused_topologies) {
    sqlite::Statement& statement = topology.paused ? statements_.pause_topology : statements_.resume_topology;
    statement.bind_text(1, topology.topology);
    if (topology.paused) statement.bind_text(2, topology.reason);
    if (const Result<std::int64_t> rows = statement.run(); !rows) return std::unexpected(rows.error());
  }
  for (const PinWrite& write : batch.pins)
    if (Result<void> applied = apply_pin(write); !applied) return applied;
  for (const AuditEntry& entry : batch.audit)
    if (Result<void> added = add_audit(entry); !added) return added;
  return {};
}

Result<void> RowWriter::apply_pin(const PinWrite& write) {
  sqlite::Statement& statement = write.pinned ? statements_.put_pin : statements_.remove_pin;
  statement.bind_text(1, write.pin.plugin);
  if (write.pinned) {
    statement.bind_text(2, write.pin.version);
    statement.bind_text(3, write.pin.hash);
    statement.bind(4, write.pin.since_wall_ns);
    statement.bind_text(5, write.pin.reason);
  }
  if (const Result<std::int64_t> rows = statement.run(); !rows) return std::unexpected(rows.error());
  return {};
}

Result<void> RowWriter::add_audit(const AuditEntry& entry) {
  sqlite::Statement& add = statements_.add_audit;
  add.bind(1, entry.time_ns);
  add.bind_text(2, entry.act);
  add.bind_text(3, entry.domain);
  add.bind_text(4, entry.subject);
  add.bind_text(5, entry.topology);
  add.bind(6, entry.from);
  add.bind(7, entry.to);
  add.bind_text(8, entry.reason);
  if (const Result<std::int64_t> rows = add.run(); !rows) return std::unexpected(rows.error());
  return {};
}

Result<void> RowWriter::apply_baseline(const BaselinePage& page) {
  const Baseline& baseline = page.baseline;
  const Result<std::int64_t> domain = domains_.find_or_add(baseline.domain);
  if (!domain) return std::unexpected(domain.error());
  const auto id = static_cast<std::int64_t>(baseline.id);
  sqlite::Statement& put = statements_.put_baseline;
  put.bind(1, id);
  put.bind(2, *domain);
  put.bind_text(3, baseline.token);
  put.bind(4, static_cast<std::int64_t>(baseline.subjects));
  put.bind(5, baseline.done ? 1 : 0);
  if (const Result<std::int64_t> rows = put.run(); !rows) return std::unexpected(rows.error());
  for (const std::string& topology : baseline.topologies) {
    sqlite::Statement& add = statements_.add_baseline_topology;
    add.bind(1, *domain);
    add.bind_text(2, topology);
    add.bind(3, id);
    if (const Result<std::int64_t> rows = add.run(); !rows) return std::unexpected(rows.error());
  }
  for (const auto& [subject, latest] : page.latest) {
    sqlite::Statement& add = statements_.add_baseline_start;
    add.bind(1, id);
    add.bind_text(2, subject);
    add.bind(3, latest);
    if (const Result<std::int64_t> rows = add.run(); !rows) return std::unexpected(rows.error());
  }
  return {};
}

Result<void> RowWriter::apply_coverage(const CoverageRow& row) {
  const Result<std::int64_t> domain = domains_.find_or_add(row.domain);
  if (!domain) return std::unexpected(domain.error());
  sqlite::Statement& put = statements_.put_coverage;
  put.bind(1, *domain);
  put.bind_text(2, row.topology);
  put.bind(3, row.proven_wall_ns);
  put.bind(4, static_cast<std::int64_t>(row.subjects));
  put.bind(5, static_cast<std::int64_t>(row.exceptions));
  put.bind(6, static_cast<std::int64_t>(row.stuck));
  if (const Result<std::int64_t> rows = put.run(); !rows) return std::unexpected(rows.error());
  return {};
}

Result<void> RowWriter::apply_replay(const ReplayPage& page) {
  for (const CursorWrite& write : page.added)
    if (Result<void> done = apply_cursor(write); !done) return done;
  for (SubjectId id : page.removed) {
    statements_.remove_cursor.bind(1, static_cast<std::int64_t>(id));
    if (const Result<std::int64_t> rows = statements_.remove_cursor.run(); !rows)
      return std::unexpected(rows.error());
  }
  const Replay& replay = page.replay;
  sqlite::Statement& put = statements_.put_replay;
  int place = 0;
  const auto number = [&](auto value) { put.bind(++place, static_cast<std::int64_t>(value)); };
  const auto text = [&](std::string_view value) { put.bind_text(++place, value); };
  number(replay.id), text(replay.name), text(replay.topology), text(replay.subject);
  number(replay.from), number(replay.to), number(replay.state), number(replay.cancelled);
  text(replay.token), number(replay.subjects), number(replay.done), number(replay.parked);
  number(replay.events), number(replay.started_wall_ns), number(replay.ended_wall_ns), text(replay.reason);
  if (const Result<std::int64_t> rows = put.run(); !rows) return std::unexpected(rows.error());
  if (page.audit)
    if (Result<void> added = add_audit(*page.audit); !added) return added;
  if (replay.state != Replay::State::ended) return {};
  const std::string shadow = shadow_name(replay.topology);
  statements_.resume_topology.bind_text(1, shadow);  // the next one runs
  if (const Result<std::int64_t> rows = statements_.resume_topology.run(); !rows)
    return std::unexpected(rows.error());
  statements_.forget_replays.bind(1, static_cast<std::int64_t>(replays_kept));
  if (const Result<std::int64_t> rows = statements_.forget_replays.run(); !rows)
    return std::unexpected(rows.error());
  return {};
}

Result<void> RowWriter::apply_canary(const Canary& canary) {
  return write_canary(statements_.put_canary, canary);
}

// What a group does to one subject's row. A clear covers every ping up to its generation, in whichever batch
// the two came, so only the highest of each counts.
struct RowWriter::InboxChange {
  std::string_view domain, subject;
  std::optional<std::uint64_t> row, clear;
};

Result<void> RowWriter::apply_inbox(Group group) {
  std::vector<InboxChange> changes;
  for (const WriteBatch* batch : group) {
    for (const InboxRow& r : batch->inbox)
      changes.push_back({r.domain, r.subject, r.generation, std::nullopt});
    for (const InboxClear& c : batch->inbox_clears)
      changes.push_back({c.domain, c.subject, std::nullopt, c.generation});
  }
  const auto subject = [](const InboxChange& change) { return std::tie(change.domain, change.subject); };
  std::ranges::sort(changes, {}, subject);
  for (auto next = changes.begin(); next != changes.end();) {
    InboxChange whole = *next;
    for (++next; next != changes.end() && subject(*next) == subject(whole); ++next) {
      whole.row = std::max(whole.row, next->row);  // nullopt is the lowest
      whole.clear = std::max(whole.clear, next->clear);
    }
    if (Result<void> done = apply_inbox_change(whole); !done) return done;
  }
  return {};
}

Result<void> RowWriter::apply_inbox_change(const InboxChange& change) {
  const std::string_view mistake = mistake_of_names(change.domain, change.subject);
  if (!mistake.empty() || change.row > stored_max || change.clear > stored_max) {
    return fail(ErrorCode::invalid,
                fmt::format("inbox row of {} '{}' cannot be stored: {}", printable(change.domain, 64),
                            printable(change.subject, 64),
                            mistake.empty() ? "its generation is out of range" : mistake));
  }
  const Result<std::int64_t> domain = domains_.find_or_add(change.domain);
  if (!domain) return std::unexpected(domain.error());
  const bool stays = change.row && (!change.clear || *change.clear < *change.row);
  sqlite::Statement& statement = stays ? statements_.upsert_inbox : statements_.clear_inbox;
  statement.bind(1, *domain);
  statement.bind_text(2, change.subject);
  statement.bind(3, static_cast<std::int64_t>(stays ? *change.row : *change.clear));
  if (const Result<std::int64_t> rows = statement.run(); !rows) return std::unexpected(rows.error());
  return {};
}

}  // namespace cape::storage
