#include "storage/store_schema.hpp"

#include <fmt/format.h>

#include <array>

namespace cape::storage {
namespace {

constexpr const char* version_1 = R"sql(
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', 0);

CREATE TABLE domain(
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE cursor_info(
  id      INTEGER PRIMARY KEY,
  domain  INTEGER NOT NULL,
  subject TEXT NOT NULL,
  slot    INTEGER NOT NULL,           -- xxh64(domain, subject) % 4096
  latest  INTEGER NOT NULL,
  behind  INTEGER NOT NULL,           -- 1: some topology's cursor is below latest
  record  BLOB NOT NULL               -- storage/cursor_info.cpp
);
CREATE UNIQUE INDEX cursor_info_subject ON cursor_info(domain, subject);
CREATE INDEX cursor_info_behind ON cursor_info(behind) WHERE behind = 1;

CREATE TABLE inbox(
  domain     INTEGER NOT NULL,
  subject    TEXT NOT NULL,
  generation INTEGER NOT NULL,        -- 0: acknowledged in an earlier life of the broker
  PRIMARY KEY(domain, subject)
) WITHOUT ROWID;

CREATE TABLE host_lease(
  host              TEXT PRIMARY KEY,
  session           INTEGER NOT NULL, -- 64 bits, as signed
  lease_end_boot_ns INTEGER NOT NULL,
  boot_id           TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// An end in boot time means nothing to another machine.
constexpr const char* version_2 = R"sql(
ALTER TABLE host_lease RENAME COLUMN lease_end_boot_ns TO lease_ms;
ALTER TABLE host_lease DROP COLUMN boot_id;
)sql";

// What operators did.
constexpr const char* version_3 = R"sql(
CREATE TABLE audit(
  id            INTEGER PRIMARY KEY,
  time_ns       INTEGER NOT NULL,     -- wall clock
  act           TEXT NOT NULL,
  domain        TEXT NOT NULL,
  subject       TEXT NOT NULL,        -- empty: of all subjects of the topology
  topology      TEXT NOT NULL,
  from_sequence INTEGER NOT NULL,     -- the topology's cursor before
  to_sequence   INTEGER NOT NULL,     -- and after
  reason        TEXT NOT NULL
);
CREATE TABLE paused_topology(
  topology TEXT PRIMARY KEY,
  reason   TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// Where topologies begin whose start is "latest".
constexpr const char* version_4 = R"sql(
CREATE TABLE baseline(
  id       INTEGER PRIMARY KEY,
  domain   INTEGER NOT NULL,
  token    TEXT NOT NULL,             -- the scan goes on behind this subject
  subjects INTEGER NOT NULL,          -- found so far
  done     INTEGER NOT NULL
);
CREATE TABLE baseline_topology(
  domain   INTEGER NOT NULL,
  topology TEXT NOT NULL,
  baseline INTEGER NOT NULL,
  PRIMARY KEY(domain, topology)
) WITHOUT ROWID;
CREATE TABLE baseline_start(
  baseline INTEGER NOT NULL,
  subject  TEXT NOT NULL,
  latest   INTEGER NOT NULL,          -- the source's when it was scanned: the topologies begin behind it
  PRIMARY KEY(baseline, subject)
) WITHOUT ROWID;
)sql";

// What the refresh walk proved.
constexpr const char* version_5 = R"sql(
CREATE TABLE coverage(
  domain         INTEGER NOT NULL,
  topology       TEXT NOT NULL,
  proven_wall_ns INTEGER NOT NULL,    -- what its source showed by then is processed, but for the exceptions
  subjects       INTEGER NOT NULL,
  exceptions     INTEGER NOT NULL,
  stuck          INTEGER NOT NULL,    -- of the exceptions
  PRIMARY KEY(domain, topology)
) WITHOUT ROWID;
)sql";

// Runs of `cape replay`.
constexpr const char* version_6 = R"sql(
CREATE TABLE replay(
  id              INTEGER PRIMARY KEY,
  name            TEXT NOT NULL,
  topology        TEXT NOT NULL,
  subject         TEXT NOT NULL,      -- empty: every one
  from_sequence   INTEGER NOT NULL,
  to_sequence     INTEGER NOT NULL,
  state           INTEGER NOT NULL,   -- storage/replay.hpp
  cancelled       INTEGER NOT NULL,
  token           TEXT NOT NULL,      -- the scan goes on behind this subject
  subjects        INTEGER NOT NULL,
  done            INTEGER NOT NULL,
  parked          INTEGER NOT NULL,
  events          INTEGER NOT NULL,
  started_wall_ns INTEGER NOT NULL,
  ended_wall_ns   INTEGER NOT NULL,   -- 0: it has not ended
  reason          TEXT NOT NULL
);
)sql";

// Which bytes of a plugin serve whatever lies in the directories.
constexpr const char* version_7 = R"sql(
CREATE TABLE pin(
  plugin        TEXT PRIMARY KEY,
  version       TEXT NOT NULL,        -- one of these two is empty
  hash          TEXT NOT NULL,
  since_wall_ns INTEGER NOT NULL,
  reason        TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// Which version of its plugin a lambda runs, and which one is tried.
constexpr const char* version_8 = R"sql(
CREATE TABLE canary(
  topology          TEXT NOT NULL,
  lambda            TEXT NOT NULL,
  stable_hash       TEXT NOT NULL,
  stable_version    TEXT NOT NULL,
  candidate_hash    TEXT NOT NULL,    -- empty: none is tried
  candidate_version TEXT NOT NULL,
  stable_in_twin    INTEGER NOT NULL, -- in which of two slots the stable one runs
  share             INTEGER NOT NULL, -- of 10,000 subjects, that the candidate has
  began_wall_ns     INTEGER NOT NULL,
  rejected          TEXT NOT NULL,    -- hashes, a space between
  verdict           TEXT NOT NULL,
  verdict_wall_ns   INTEGER NOT NULL, -- 0: there was none
  PRIMARY KEY(topology, lambda)
) WITHOUT ROWID;
)sql";

constexpr std::array versions = {version_1, version_2, version_3, version_4,
                                 version_5, version_6, version_7, version_8};
constexpr sqlite::Schema schema{
    .name = "cursor store", .application_id = 0x43617065, .versions = versions};  // "Cape"

}  // namespace

const sqlite::Schema& store_schema() {
  return schema;
}

Result<BrokerLife> begin_broker_life(sqlite::Database& db, const fs::path& file) {
  if (Result<void> full = db.set_synchronous(sqlite::Synchronous::full); !full)
    return std::unexpected(full.error());
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(db);
  if (!transaction) return std::unexpected(transaction.error());
  const Result<void> raised = db.execute(
      "UPDATE meta SET value = value + 1 WHERE key = 'epoch'; UPDATE inbox SET generation = 0 WHERE "
      "generation <> 0");
  if (!raised) return std::unexpected(raised.error());
  const Result<std::int64_t> epoch = db.integer("SELECT value FROM meta WHERE key = 'epoch'");
  if (!epoch) return std::unexpected(epoch.error());
  if (*epoch < 1 || *epoch > epoch_max) {
    return fail(ErrorCode::limit,
                fmt::format("{} holds epoch {}, outside 1..{}: restore it from a backup, or move it away",
                            file.string(), *epoch, epoch_max));
  }
  const Result<std::int64_t> highest = db.integer("SELECT coalesce(max(id), 0) FROM cursor_info");
  if (!highest) return std::unexpected(highest.error());
  if (Result<void> done = transaction->commit(); !done) return std::unexpected(done.error());
  return BrokerLife{static_cast<std::uint32_t>(*epoch), static_cast<SubjectId>(*highest)};
}

}  // namespace cape::storage
