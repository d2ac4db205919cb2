// host/worker/worker.hpp
// The host's decisions as a pure state machine: which child runs a job, when one is started, cancelled,
// killed or replaced, what a dead child leaves, leases and self-fencing. No I/O, clock or thread; the loop
// (host/worker/host_loop.hpp) performs the actions, in order, and feeds back what happened. A list of
// (time, inputs) and a plan give the same actions.
//
// Each lambda has children of its own, at most children_max, started when jobs wait and stopped with the
// host, or where idle_max_ns says so when no more jobs come. A job belongs to one child at a time; what a
// child gave back unstarted is run by another one without telling the broker. An event that was running when
// its child died costs one attempt: the broker hears it.
//
// What becomes of a job (every one that arrived in a session ends in one status of that session, or the
// session ends):
//
//   arrived ─▶ waiting ─▶ out at a child ─▶ done ────────────────────────▶ status
//                 ▲             ├── taken back, or its child died first ──▶ waiting again, untouched
//                 └─────────────┘── its child died in it ─────────────────▶ status with that end
//   no child can be had (plugin gone, setup fails, set aside, draining, fenced) ─▶ status, not started
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "host/child/lambda_child.hpp"
#include "host/worker/speed_watch.hpp"
#include "wire/messages.hpp"

namespace cape::host {

using ChildId = std::uint32_t;  // never reused

struct WorkerLambda {
  std::uint32_t children_max = 1;
  std::int64_t timeout_ns = 0;      // without heartbeat
  std::int64_t timeout_max_ns = 0;  // hard cap
  // It has a state or write grant: more than one child only if the plugin says that they share it.
  bool owns_state = false;
  // Backoff of the probes of a plugin that is set aside: the topology's retry policy.
  std::int64_t probe_first_ns = 200'000'000;
  double probe_factor = 2;
  std::int64_t probe_max_ns = 300'000'000'000;
  SpeedWatch::Limits speed = {};  // of new bytes beside those before them
  std::int64_t idle_max_ns = 0;              // a child without a job for so long is stopped; 0: none is
  std::uint64_t recycle_bytes = UINT64_MAX;  // one with more in memory is replaced by another
};
struct WorkerPlan {
  std::vector<WorkerLambda> lambdas;              // by LambdaIndex
  std::uint32_t jobs_per_child = 64;              // credit, and the most that lie in one child's ring
  std::int64_t start_timeout_ns = 5'000'000'000;  // load, init and create together
  std::int64_t stop_timeout_ns = 5'000'000'000;   // destroy and deinit, after its last job
  std::int64_t cancel_grace_ns = 200'000'000;
  std::int64_t take_back_ns = 10'000'000;  // an event that runs longer does not hold up the jobs behind it
  std::int64_t drain_timeout_ns = drain_max_ms * ns_per_ms;  // then what still runs is cancelled and killed
};

// ---- inputs
struct PluginServes {  // hash empty: none serves; `trouble` says why
  LambdaIndex lambda = 0;
  std::string hash;
  std::string trouble;
  std::string refused = {};  // the bytes that would serve but for `trouble`; empty: there are none
};
struct JobArrived {
  wire::RunJob job;
};
struct JobRefused {  // the ring of the child has no room for it
  ChildId child = 0;
  JobId job = 0;
};
struct ChildReported {
  ChildId child = 0;
  child::LambdaReport report;
};
// One look at its shared words, made right before this step. A child is killed for a hang only after a look
// in the same step has shown it.
struct ChildLooked {
  ChildId child = 0;
  child::LambdaChild::Running running;
};
struct ChildUsed {  // what the kernel says it has in memory
  ChildId child = 0;
  std::uint64_t resident_bytes = 0;
};
struct StartFailed {
  ChildId child = 0;
  std::string reason;
};
// The broker answered a heartbeat: until `end_ns` (its send time + one lease) it takes this host for alive.
struct LeaseRenewed {
  std::int64_t end_ns = 0;
};
struct CancelAsked {
  JobId job = 0;
};
struct SessionStarted {};  // hello was sent: report every credit
struct SessionEnded {};    // the broker knows nothing of our jobs: end them, tell nobody, then ReportQuiet
struct DrainAsked {};
struct TimePassed {};
using Input =
    std::variant<PluginServes, JobArrived, JobRefused, ChildReported, ChildLooked, ChildUsed, StartFailed,
                 LeaseRenewed, CancelAsked, SessionStarted, SessionEnded, DrainAsked, TimePassed>;

// ---- actions
struct StartChild {
  ChildId child = 0;
  LambdaIndex lambda = 0;
  std::string hash;
};
struct GiveJob {
  ChildId child = 0;
  const wire::RunJob* job = nullptr;  // the worker's; valid until the next step
  bool singly = false;                // one event a call: a call of several died, and nobody knows by which
};
struct TakeBack {  // no event that has not begun shall begin; the jobs behind come back as ChildJobDone
  ChildId child = 0;
};
struct CancelChild {
  ChildId child = 0;
};
struct KillChild {
  ChildId child = 0;
  Outcome why;
};
struct StopChild {  // after the event that runs
  ChildId child = 0;
  std::string recycled = {};  // why another one takes its place; empty: it is no longer wanted
};
struct ReportStatus {
  wire::JobStatus status;
};
struct ReportCredit {
  LambdaIndex lambda = 0;
  std::uint32_t jobs_max = 0;
  std::string hash, trouble;
};
struct ReportQuiet {};    // after SessionEnded: no job of it runs any more; a hello may be said
struct ReportDrained {};  // after DrainAsked: nothing runs and no child is left
using Action = std::variant<StartChild, GiveJob, TakeBack, CancelChild, KillChild, StopChild, ReportStatus,
                            ReportCredit, ReportQuiet, ReportDrained>;

// What is now known of the bytes that serve a lambda, once for each of the two and each time that other bytes
// begin to serve: that an event succeeded with them, or, while none had, that they do not work. They may also be
// judged not to work after all, because they are slower by far than those before.
struct BytesJudged {
  LambdaIndex lambda = 0;
  std::string hash;
  std::string trouble;  // empty: they work
};

class Worker {
 public:
  explicit Worker(WorkerPlan plan);
  ~Worker();

  // Takes what is in `inputs`. ChildEnded of a child is the last input that names it.
  std::vector<Action> step(std::int64_t now_ns, std::span<Input> inputs);
  // step() is due then; look at the children first (ChildLooked).
  std::optional<std::int64_t> next_deadline() const;
  std::vector<wire::RunningEvent> running() const;  // for the heartbeat
  bool has_jobs() const;                            // children must be looked at
  std::vector<BytesJudged> take_judged();           // since it was last called

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cape::host
