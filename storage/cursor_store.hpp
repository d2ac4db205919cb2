// storage/cursor_store.hpp
// CursorStore keeps cursor records, the ping inbox, the epoch, host leases and what operators did. A port: SQLite behind it for
// real, memory and failing versions in tests.
//
// Thread: all calls from one thread (the broker loop). Reads are answered at once from local pages; writes
// are queued by submit() and committed in groups on the store's own thread; poll() tells which are done. A
// write is visible to reads only once it is done.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/audit_entry.hpp"
#include "storage/canary.hpp"
#include "storage/cursor_info.hpp"
#include "storage/pin.hpp"
#include "storage/replay.hpp"

namespace cape::storage {

struct StoredSubject {
  SubjectId id = 0;  // 0: it has no record; a baseline alone knows it, and `info` has nothing but starts
  std::string domain;
  std::string subject;
  bool behind = false;  // some topology's cursor is below latest
  CursorInfo info;
};

struct CursorWrite {  // inserts or replaces record `id`
  SubjectId id = 0;
  std::string domain;
  std::string subject;
  bool behind = false;
  CursorInfo info;
};

// One row a subject: an acknowledged ping that has not led to a stored read yet.
struct InboxRow {
  std::string domain;
  std::string subject;
  std::uint64_t generation = 0;  // rises with each acknowledged ping of this broker life
};
// Takes the row away if its generation is not above `generation`.
struct InboxClear {
  std::string domain;
  std::string subject;
  std::uint64_t generation = 0;
};

// A host that may run jobs. How long, not until when: it may be on another machine, so a broker that starts
// waits this long from then on.
struct HostLease {
  std::string host;
  SessionId session = 0;
  std::int64_t lease_ms = 0;
};

// A topology that an operator holds; `paused` false takes the row away.
struct PausedTopology {
  std::string topology;
  bool paused = true;
  std::string reason;
};

// Where the topologies of a domain begin whose start is "latest": at what one scan of the source found,
// subject by subject. A start that is stored never changes. A subject that a scan did not find begins at 0.
struct Baseline {
  std::uint64_t id = 0;  // above 0; rises
  std::string domain;
  std::vector<std::string> topologies;
  std::string token;           // the scan goes on behind this subject
  std::uint64_t subjects = 0;  // found so far
  bool done = false;

  bool operator==(const Baseline&) const = default;
};
struct BaselinePage {
  Baseline baseline;                                     // as it is once the page is stored
  std::vector<std::pair<std::string, Sequence>> latest;  // of the page's subjects
};

// What is proven of a topology: every event that its source showed by then is processed, but for the
// exceptions.
struct CoverageRow {
  std::string domain;
  std::string topology;
  std::int64_t proven_wall_ns = 0;
  std::uint64_t subjects = 0;    // that the source had
  std::uint64_t exceptions = 0;  // of these
  std::uint64_t stuck = 0;       // of the exceptions: fail for longer than stuck_after

  bool operator==(const CoverageRow&) const = default;
};

// How a replay stands, and what of its shadow's records changes with it.
struct ReplayPage {
  Replay replay;
  std::vector<CursorWrite> added;  // where subjects begin; never behind, so no walk of what is live finds them
  std::vector<SubjectId> removed;
  std::optional<AuditEntry> audit = {};
};

// All of it is applied in one transaction, or none of it. An empty one with `sync` is done when everything
// submitted before it is on disk.
struct WriteBatch {
  std::vector<CursorWrite> cursors;
  std::vector<InboxRow> inbox;
  std::vector<InboxClear> inbox_clears;
  std::vector<HostLease> leases;            // upserts
  std::vector<std::string> leases_removed;  // host names
  std::vector<AuditEntry> audit;
  std::vector<PausedTopology> paused_topologies;
  std::vector<BaselinePage> baselines;
  std::vector<CoverageRow> coverage;        // upserts; behind the cursors it rests on
  std::vector<ReplayPage> replays;
  std::vector<PinWrite> pins;
  std::vector<Canary> canaries;  // upserts
  bool sync = false;                        // on disk before it counts as done; otherwise within a second
  bool empty() const {
    return cursors.empty() && inbox.empty() && inbox_clears.empty() && leases.empty() &&
           leases_removed.empty() && audit.empty() && paused_topologies.empty() && baselines.empty() &&
           coverage.empty() && replays.empty() && pins.empty() && canaries.empty();
  }
};

using Ticket = std::uint64_t;
struct CommitDone {
  Ticket ticket = 0;
  Result<void> result;  // an error: nothing of the batch was applied; submit it again or stop
  bool broken = false;  // so is every later one, until the store is opened anew: stop
};

struct InboxPage {
  std::vector<InboxRow> rows;
};

class CursorStore {
 public:
  virtual ~CursorStore() = default;

  // Number of this broker start; raised by one and synced when the store was opened.
  virtual std::uint32_t epoch() const = 0;
  // An id above every stored one; rises with each call. Costs no I/O.
  virtual SubjectId new_subject_id() = 0;

  // Of load(), range() and behind(): `info.starts` has what baselines say of topologies without a record
  // there.
  virtual Result<std::optional<StoredSubject>> load(std::string_view domain, std::string_view subject) = 0;
  // Up to `limit` records, and starts without one, of a domain with a subject in (after, upto] in byte order;
  // an empty upto: no end.
  virtual Result<std::vector<StoredSubject>> range(std::string_view domain, std::string_view after,
                                                   std::string_view upto, std::size_t limit) = 0;
  // Up to `limit` records that are behind, with an id above `after`, by id.
  virtual Result<std::vector<StoredSubject>> behind(SubjectId after, std::size_t limit) = 0;
  virtual Result<std::vector<InboxRow>> inbox(std::size_t limit, std::string_view after_domain,
                                              std::string_view after_subject) = 0;
  virtual Result<std::vector<HostLease>> leases() = 0;
  virtual Result<std::vector<PausedTopology>> paused_topologies() = 0;
  virtual Result<std::vector<Baseline>> baselines() = 0;  // by id
  virtual Result<std::vector<CoverageRow>> coverage() = 0;
  virtual Result<std::vector<Replay>> replays() = 0;  // by id; of those that ended the newest replays_kept
  virtual Result<std::vector<Pin>> pins() = 0;  // by plugin
  virtual Result<std::vector<Canary>> canaries() = 0;  // by topology and lambda
  // Up to `limit` of the newest acts, newest first; of one topology unless it is empty.
  virtual Result<std::vector<AuditEntry>> audit(std::string_view topology, std::size_t limit) = 0;

  // Never blocks. Once the database file was deleted under the store, or a sync failed, every later batch
  // fails with that error. What was submitted is still committed when the store is destroyed.
  virtual Ticket submit(WriteBatch batch) = 0;
  virtual std::vector<CommitDone> poll() = 0;   // in the order of submission
  virtual int fd() const = 0;                   // readable when poll() has something
  virtual std::size_t queued_rows() const = 0;  // submitted and not done: the caller bounds it
};

// Opens or creates data_dir/cape.db (WAL), migrates it, raises the epoch. The caller holds the data_dir lock.
Result<std::unique_ptr<CursorStore>> open_sqlite_store(const fs::path& data_dir);
// For commands while no broker runs: reads alone; submit() must not be called. not_found: no store yet.
Result<std::unique_ptr<CursorStore>> open_sqlite_store_read_only(const fs::path& data_dir);
// Who holds a data_dir: one broker, and one host, since two would run the same plugins on the same state.
enum class Part : std::uint8_t { broker, host };
// A lock file for as long as the value lives, `lock` or `host.lock`. conflict: another process has it.
class DataDirLock {
 public:
  static Result<DataDirLock> take(const fs::path& data_dir,
                                  Part part = Part::broker);  // creates data_dir if need be
  DataDirLock(DataDirLock&&) noexcept;
  DataDirLock& operator=(DataDirLock&&) noexcept;
  ~DataDirLock();

 private:
  explicit DataDirLock(int fd);
  int fd_ = -1;
};

}  // namespace cape::storage
