// broker/scheduler/scheduler.hpp
// The scheduler decides what runs: the only stateful part of the dispatcher and the only writer of cursors.
// It is a pure state machine: no I/O, clock, thread, lock, logging; the same plan and the same list of
// (now, inputs) give the same actions. It never sees a source, a socket or a file.
//
//   state tree:  subject -> topology -> lambda { cursor, position, job in flight | waiting block | timer }
//   job table:   job id -> subject, lambda, host, range
//   timers:      (time, subject, lambda), for retries; one per host, for its lease
//
// A lambda of a subject is in one of these states:
//
//   done ──(events above position)──▶ ready (waits for credit) ──▶ in_flight ──ok──▶ done
//                                       ▲ ▲                           │
//                                       │ └────(no attempt counted)───┤
//                                       └──(timer)── backing_off ◀────┤ attempt
//                                                         parked ◀────┘ park
//
// While a job of it runs, one further block may already wait behind it, so that a busy subject does not stall
// for a round trip to the source between two jobs.
//
// A pipelined topology issues further jobs of a subject while one runs, up to pipelined_jobs_max. Each of its
// jobs is in a state of the picture above by itself; the cursor stands before the first one that is not done.
//
// A subject leaves memory, at the end of a step, when its last save is confirmed and nothing of it is in
// flight, waiting, timed or asked for. Where a limit is reached (plan.waiting_bytes_max, plan.timers_max) it
// is left behind: saved as such and let go, until WalkBehind brings it back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/plan.hpp"
#include "broker/scheduler/why.hpp"

namespace cape::scheduler {

using Actions = std::vector<Action>;

// What the tracker needs to plan its queries, of one lambda of a topology: one, or of a pipelined topology
// one for each job that has to run again and one for what lies behind all of them.
struct TopologyPosition {
  TopologyIndex topology = 0;
  Sequence position = 0;  // last sequence issued or waiting to be
  // False: its block waits, it backs off, is parked or at its limit, or its lambda has no room.
  bool can_run = false;
};

enum class SubjectState : std::uint8_t { done, ready, in_flight, backing_off, parked, paused, waiting };
const char* name_of(SubjectState state);

struct TopologyView {
  TopologyIndex topology = 0;
  Sequence cursor = 0;
  SubjectState state = SubjectState::done;
  std::uint32_t attempt = 0;
  std::string reason;
  // An operator alone makes it go on: it is parked or paused, or it comes after a topology that is stopped.
  bool stopped = false;
  bool unplaced = false;  // where it begins is not known yet; `cursor` says nothing
};
struct SubjectView {
  Sequence latest = 0;
  std::vector<TopologyView> topologies;
};

// What a Command would do now.
struct Preview {
  std::string refusal;        // empty: it would be done
  Sequence from = 0, to = 0;  // as CommandDone would tell
  std::uint32_t jobs_to_cancel = 0;
};

// Of a lambda's breaker.
struct CircuitView {
  bool open = false;
  std::uint64_t times_opened = 0, probes = 0;
  std::string reason;  // while it is open: the last failure
};

// How a job of a lambda that has a twin ended: what a canary compares.
struct JobOutcome {
  LambdaIndex lambda = 0;  // the slot it ran in
  std::uint32_t events_done = 0;
  bool failed = false;        // the event after them did
  std::int64_t event_ns = 0;  // that one of its events took, on average, as its host says
};

struct Counters {
  std::uint64_t jobs_issued = 0, jobs_done = 0, events_done = 0, attempts_failed = 0, parked = 0;
  std::uint64_t stale_statuses = 0, hosts_lost = 0;
  std::uint64_t late = 0;  // events that appeared below a bound, by topology that had passed them
  std::size_t subjects_in_memory = 0, jobs_in_flight = 0, waiting_bytes = 0, timers = 0, hosts = 0;
  std::uint64_t outputs_bytes = 0;    // what outputs for dependants are charged
  std::uint64_t outputs_dropped = 0;  // times that a subject lost its own for want of room
};

class Scheduler {
 public:
  // Job ids start at (epoch << 40) + 1. Requires: epoch > 0.
  Scheduler(SchedulerPlan plan, std::uint32_t epoch);
  ~Scheduler();
  Scheduler(Scheduler&&) noexcept;

  // Applies `inputs` in order. `now` must not go back.
  Actions step(Now now, std::span<const Input> inputs);
  // Boot time at which a Tick is due; nullopt: none.
  std::optional<std::int64_t> next_deadline() const;

  bool holds(SubjectId subject) const;
  std::size_t subjects_of(DomainIndex domain) const;  // how many are held; looks at all that are
  // It is held since before a baseline was done, and its next request or command has to bring what is stored.
  bool needs_start(SubjectId subject) const;
  // The subjects that left memory in the last step(): from now on their stored record counts.
  const std::vector<SubjectId>& let_go() const;
  // Of the last step().
  const std::vector<JobOutcome>& outcomes() const;
  std::uint32_t jobs_of(LambdaIndex lambda) const;  // in flight
  // False after Notice::host_lost: the session must say hello anew, whatever it sends is ignored.
  bool knows_host(HostId host) const;
  // Positions of every lambda of every topology of the domain, from memory; `stored` is used when the subject
  // is not held (null: nothing is stored). Entries of one topology are adjacent.
  std::vector<TopologyPosition> positions(SubjectId subject, DomainIndex domain,
                                          const storage::CursorInfo* stored) const;
  SubjectView view(SubjectId subject, DomainIndex domain, const storage::CursorInfo* stored) const;
  std::vector<Why> why(SubjectId subject, DomainIndex domain, const storage::CursorInfo* stored) const;
  Preview preview(const Command& command) const;
  CircuitView circuit(LambdaIndex lambda) const;
  Counters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cape::scheduler
