// broker/replays.hpp
// Replays runs events of a range again, each replay in the shadow of its topology (core/config/shadow.hpp).
//
//   scan: a page of the source ─▶ a record for each subject with something in the range, one transaction
//   pass: over these records, again and again ─▶ pings those that are behind; what they lead to is the
//         tracker's and the scheduler's business, as if it were live
//   end:  no record is behind, or an operator cancelled ─▶ the shadow leaves memory ─▶ its records are
//         removed, a page a transaction, and counted
//
// All it knows is stored with each page, so a broker that is killed goes on where it was. Memory does not
// grow with the subjects. At most `running_max` at once, one of a topology. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/saver.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/shadow_reads.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

// What a pass found of a replay's subjects so far.
struct ReplayCounts {
  std::uint64_t done = 0, parked = 0, failing = 0;  // parked: or paused; failing: and tried again
  std::uint64_t behind = 0;                         // all others
};

class Replays {
 public:
  static constexpr std::size_t running_max = 8;

  // All borrowed; they must outlive it. `config` with its shadows.
  struct Around {
    const Config& config;
    const scheduler::Scheduler& scheduler;
    storage::CursorStore& store;
    ShadowReads& reads;
    Saver& saver;
  };
  explicit Replays(Around around) : around_(around) {}

  void open(std::vector<storage::Replay> stored);
  void step(Now now, std::vector<scheduler::Input>& inputs);
  std::optional<std::int64_t> next_deadline() const;

  // False: the answer was asked for by somebody else.
  bool on_scan(DomainIndex source, const child::ScanAnswer& answer, std::int64_t now_ns);
  void on_source_lost(DomainIndex source, std::int64_t now_ns);
  // A page of it is on disk, or could not be stored.
  void on_saved(std::uint64_t id, bool is_stored, std::int64_t now_ns, std::vector<scheduler::Input>& inputs);
  void walk();  // subjects were let go while behind, and there is room again

  struct Asked {
    TopologyIndex topology = 0;  // live
    std::string name;            // empty: one is made up
    std::string subject;         // empty: of all
    Sequence latest = 0;         // of the subject
    Sequence from = 0, to = 0;
    std::string reason;
  };
  // Its id, or why not. It begins when its first page is stored: take_stored().
  Result<std::uint64_t> begin(const Asked& asked, std::int64_t wall_ns);
  Result<std::uint64_t> cancel(const std::string& name, const std::string& reason, std::int64_t wall_ns);
  struct Stored {
    std::uint64_t id = 0;
    bool ok = false;
  };
  std::vector<Stored> take_stored();  // what begin() or cancel() asked for is on disk, or is not

  struct View {
    storage::Replay replay;
    std::uint64_t events = 0;
    std::optional<ReplayCounts> counts;  // of the last whole pass; of one that ended there are none
    std::string trouble;                 // why it does not go on; empty: it does
  };
  std::vector<View> views() const;  // by id; those that ended too
  // Of one that runs; nullopt: the topology is no shadow, or none runs there.
  std::optional<View> view_of(TopologyIndex shadow) const;
  bool runs(TopologyIndex shadow) const { return find(shadow) != nullptr; }
  bool busy() const;     // something goes on without an operator
  bool stopped() const;  // something waits for one

 private:
  struct Pass {
    std::string after;
    ReplayCounts counts;
    std::int64_t began_ns = 0, next_ns = 0;
    bool of_all = false;  // it began when the whole source was scanned
  };
  struct Run {
    storage::Replay replay;  // as stored
    TopologyIndex shadow = 0;
    DomainIndex domain = 0, source = 0;  // of the shadow, of what is live
    bool is_new = false;                 // nothing of it is on disk yet
    std::optional<child::CallId> call;
    std::int64_t scan_ns = 0;                 // not before
    std::optional<storage::ReplayPage> page;  // to be stored
    bool page_out = false;
    std::int64_t page_ns = 0, stored_ns = 0;
    bool answers = false;  // somebody waits for the page
    std::optional<storage::AuditEntry> cancel;
    Pass pass;
    std::optional<ReplayCounts> counts;  // of the last whole pass
    std::uint64_t events_then = 0;       // traffic of the shadow when the broker took it up
    std::uint64_t events_before = 0;     // that were stored then
    std::string trouble;
  };

  void start(Run& run, std::string_view what, std::vector<scheduler::Input>& inputs);
  void abandon(Run& run, std::int64_t now_ns);
  void scan(Run& run, std::int64_t now_ns);
  void step_pass(Run& run, std::int64_t now_ns);
  void look_at(Run& run, const storage::StoredSubject& row, std::int64_t now_ns);
  void end_pass(Run& run, std::int64_t now_ns);
  void step_end(Run& run, Now now, std::vector<scheduler::Input>& inputs);
  void put(Run& run, storage::Replay next);
  storage::CursorWrite first_record(const Run& run, const std::string& subject, Sequence latest) const;
  std::uint64_t events_of(const Run& run) const;
  Run make_run(storage::Replay replay, TopologyIndex live) const;
  View view_of(const Run& run) const;
  const Run* find(TopologyIndex shadow) const;
  Run* with_id(std::uint64_t id);

  Around around_;
  std::vector<Run> runs_;                // by id
  std::vector<storage::Replay> ended_;   // by id
  std::vector<storage::Replay> strays_;  // of topologies that left the config: they stay for their return
  std::vector<Stored> stored_;
  std::uint64_t last_id_ = 0;
};

// How a stored record of a shadow stands. `info` has the shadow's topology alone.
enum class ReplayStanding : std::uint8_t { done, behind, parked, failing };
ReplayStanding replay_standing(const storage::CursorInfo& info);

}  // namespace cape::broker
