// broker/scheduler/messages.hpp
// What goes into the scheduler and what comes out: plain values. A list of (time, inputs) and a plan give
// the same actions byte for byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/event.hpp"
#include "core/types.hpp"
#include "storage/audit_entry.hpp"
#include "storage/cursor_info.hpp"
#include "wire/messages.hpp"

namespace cape::scheduler {

using HostId = std::uint32_t;  // the broker's number of a host session; never reused

// ---- inputs

// One answer of a source about one subject, from the tracker. Reads of one subject do not overlap: the next
// begins when the requests of the one before have been stepped. So `latest` below a saved cursor means that
// the source went back, and never that the answer is old.
struct SchedulingRequest {
  SubjectId subject = 0;
  DomainIndex domain = 0;
  std::string name;  // of the subject
  // The stored record, loaded after the source answered and after the last step(); empty: none is stored.
  // Ignored when the scheduler holds the subject, but for `starts` where it needs_start().
  std::optional<storage::CursorInfo> stored;
  Sequence latest = 0;
  EventBlockPtr block;                 // never null; may prove nothing
  std::int64_t ping_ns = 0;            // boot time of the ping that led to the read
  std::uint64_t inbox_generation = 0;  // of the acknowledged pings the read began after; 0: none
  // False: an answer of the same read came before. Told apart from `last`, since a read of which an answer
  // failed is repeated as a whole, and then none of the first one's was its last.
  bool first = true;
  // False: another answer of the same read follows, so what this one did not reach may still come.
  bool last = true;
  // False: the read left out positions that lag. One that its answers did not reach was perhaps never asked
  // for.
  bool whole = true;
  // The source does not know the subject: nothing moves, nothing stops. Only for subjects that are held.
  bool gone = false;
  // The event behind what the block proves fits no answer, and never will: each lane that has come so far
  // stops for an operator, with this reason. Empty: no such event. `latest` is then the event's sequence and
  // says nothing of what lies behind it.
  std::string unreadable;

  // After this answer, that a position before `next` was not served is the source's doing.
  bool asked_for(Sequence next) const { return whole ? last : block->proven_from == next; }
};
// The last read of the subject failed, in one answer at least, and is repeated by and by. Until it answers,
// what is kept for the subject may go to others. Of one that is not held it changes nothing.
struct ReadFailed {
  SubjectId subject = 0;
};
struct HostUp {
  HostId host = 0;
  std::string name;
  std::uint32_t jobs_max = 0;  // that it takes in all; 0: what it takes of each lambda
};
// The session ended: goodbye (clean: nothing runs there), or replaced by a new hello of the same host.
struct HostGone {
  HostId host = 0;
  bool clean = false;  // a goodbye. false is right too when every final status was stepped before
};
// The host takes at most jobs_max jobs of the lambda, run by the plugin bytes `hash`.
struct Credit {
  HostId host = 0;
  LambdaIndex lambda = 0;
  std::uint32_t jobs_max = 0;
  std::string hash;
  std::string trouble;
};
struct Status {
  HostId host = 0;
  wire::JobStatus status;
};
struct Heartbeat {
  HostId host = 0;
  std::vector<wire::RunningEvent> running;
};
// The save with this version is in the store.
struct CursorSaved {
  SubjectId subject = 0;
  std::uint64_t version = 0;
};
// Forget a save that failed: it will be asked for again.
struct CursorSaveFailed {
  SubjectId subject = 0;
  std::uint64_t version = 0;
};
// Time has passed; also sent when next_deadline() is due.
struct Tick {};

// What an operator does to one subject in one topology. All but pause and resume wait until nothing of it is
// in flight (its jobs are cancelled), and nothing of it is issued before the act is on disk.
enum class Act : std::uint8_t {
  pause,    // nothing further is issued
  resume,   // ends a pause
  park,     // stops it as a failure would
  redrive,  // a parked or failed event is tried again now, its attempts forgotten
  skip,     // passes over the event that is parked or failed last
  rewind,   // back to `sequence`, which is the first to run again
};
const char* name_of(Act act);

// Must lead to a CommandDone in the end.
struct Command {
  std::uint64_t id = 0;  // the caller's number of it
  Act act = Act::pause;
  TopologyIndex topology = 0;
  SubjectId subject = 0;
  DomainIndex domain = 0;
  std::string name;                           // of the subject
  std::optional<storage::CursorInfo> stored;  // as in SchedulingRequest
  Sequence sequence = 0;                      // of rewind; of skip the event meant, 0: whichever it is
  std::string reason;                         // the operator's, at most act_reason_bytes_max
};
inline constexpr std::size_t act_reason_bytes_max = 256;
inline constexpr std::size_t acts_per_subject_max = 16;  // that wait; a further command is refused

// Holds all subjects of a topology, or lets them go on. The caller has stored it: at start it says it again.
struct PauseTopology {
  TopologyIndex topology = 0;
  bool paused = false;
  std::string reason;
};

// The baseline of a topology is stored as a whole: from now on loaded records have its starts, and it may
// run. Before, nothing of a topology with `from_baseline` is issued; at start the caller says it again.
struct BaselineDone {
  TopologyIndex topology = 0;
};

// Jobs of the broker's last life may still run, of which no table knows: said at start when it is so, and
// once more when they surely have ended. Meanwhile nothing is issued, since no host is up.
struct EarlierJobs {
  bool may_run = false;
};

// Nothing further of the topology, which is a shadow, shall run: its jobs are cancelled, its timers go, and
// its subjects leave memory as soon as their last job has ended and their last save is done. Said again until
// subjects_of() its domain is 0. It runs again after a PauseTopology that ends its pause.
struct EndShadow {
  TopologyIndex topology = 0;
};

// Which of the two slots of a lambda that has a twin serves a subject: a part of the subjects has the
// candidate's slot, by a hash of their names, and the others the stable one. Before the first of it nobody
// has the candidate's, and the lambda itself is the stable slot. A subject changes its slot while no job of
// it is in flight: one that has such a job is issued nothing until it has ended.
struct Split {
  LambdaIndex lambda = 0;       // not the twin
  bool stable_in_twin = false;  // else the candidate is, if there is one
  std::uint32_t share = 0;      // of split_whole: what the candidate's slot has

  bool operator==(const Split&) const = default;
};
inline constexpr std::uint32_t split_whole = 10'000;

using Input =
    std::variant<SchedulingRequest, HostUp, HostGone, Credit, Status, Heartbeat, CursorSaved,
                 CursorSaveFailed, Tick, Command, PauseTopology, BaselineDone, EarlierJobs, EndShadow, Split,
                 ReadFailed>;

// ---- actions

struct IssueJob {
  HostId host = 0;
  JobId job = 0;
  LambdaIndex lambda = 0;
  std::string hash;
  SubjectId subject = 0;
  std::string name;
  std::uint32_t attempt = 0;
  bool may_repeat = false;
  bool late = false;
  std::int64_t ping_ns = 0;
  EventRange events;
  std::uint64_t outputs_bytes_max = 0;  // as in wire::RunJob
  std::vector<wire::JobInput> inputs = {};
};
struct SaveCursor {
  SubjectId subject = 0;
  DomainIndex domain = 0;
  std::string name;
  std::uint64_t version = 0;  // of this subject's saves, rising
  bool behind = false;
  storage::CursorInfo info;
  std::uint64_t inbox_generation = 0;      // clears inbox rows up to it in the same transaction
  std::vector<storage::AuditEntry> audit;  // written in the same transaction
  bool sync = false;                       // on disk before it counts as saved
};
struct CancelJob {
  HostId host = 0;
  JobId job = 0;
};
// There is more to read for this subject. Must lead to a SchedulingRequest of it in the end: no other one is
// asked for until then, and the subject stays in memory.
struct PingAgain {
  SubjectId subject = 0;
  DomainIndex domain = 0;
  std::string name;
};
// Subjects were dropped from memory while behind (a limit was reached); there is room again: walk the stored
// records that are behind and ping them. All of them are stored by now. A pinged subject that finds no room
// again still needs its SchedulingRequest, if only with a block that proves nothing: it asks for the next
// walk.
struct WalkBehind {};
// What became of a Command: it is on disk, or nothing was changed.
struct CommandDone {
  std::uint64_t id = 0;
  std::string refusal;  // why it was not done, and the next step; empty: it was
  // The topology's cursor before and after; of a skip `to` is the event that was passed over.
  Sequence from = 0, to = 0;
};
// For people and metrics: an event's attempt failed, or its subject was parked. Never drives anything.
struct Notice {
  enum class Kind : std::uint8_t {
    attempt_failed,
    parked,
    host_lost,
    stale_status,
    source_went_back,
    unreadable,
    late,  // the event appeared below a bound that its source had given
    circuit_opened,
    circuit_closed
  };
  Kind kind = Kind::attempt_failed;
  HostId host = 0;  // of host_lost and stale_status
  TopologyIndex topology = 0;
  LambdaIndex lambda = 0;
  std::string subject;
  Sequence sequence = 0;
  std::uint32_t attempts = 0;
  std::int64_t next_try_ns = 0;  // boot time; 0: none
  Outcome outcome;
};

using Action = std::variant<IssueJob, SaveCursor, CancelJob, PingAgain, WalkBehind, CommandDone, Notice>;

}  // namespace cape::scheduler
