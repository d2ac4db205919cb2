// host/worker/worker.hpp
// The host's decisions as a pure state machine: which child runs a job, when one is started, cancelled,
// killed or replaced, what a dead child leaves, leases and self-fencing. No I/O, clock or thread; the loop
// (host/worker/host_loop.hpp) performs the actions and feeds back what happened.
//
// Each lambda has children of its own, at most children_max, started when jobs wait and stopped with the
// host. A job belongs to one child at a time; what a child gave back unstarted is run by another one without
// telling the broker. An event that was running when its child died costs one attempt: the broker hears it.
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
#include "wire/messages.hpp"

namespace cape::host {

using ChildId = std::uint32_t;  // never reused

struct WorkerLambda {
  std::uint32_t children_max = 1;
  std::int64_t timeout_ns = 0;      // without heartbeat
  std::int64_t timeout_max_ns = 0;  // hard cap
};
struct WorkerPlan {
  std::vector<WorkerLambda> lambdas;  // by LambdaIndex
  std::uint32_t jobs_per_child = 64;  // credit
  std::int64_t cancel_grace_ns = 200'000'000;
  std::int64_t lease_ns = 10'000'000'000;
};

// ---- inputs
struct PluginServes {  // hash empty: none serves; `trouble` says why
  LambdaIndex lambda = 0;
  std::string hash;
  std::string trouble;
};
struct JobArrived {
  wire::RunJob job;
};
struct ChildReported {
  ChildId child = 0;
  child::LambdaReport report;
};
struct ChildLooked {  // one look at its shared words
  ChildId child = 0;
  child::LambdaChild::Running running;
};
struct StartFailed {
  ChildId child = 0;
  std::string reason;
};
struct LeaseRenewed {  // the broker answered a heartbeat that was sent at `sent_ns`
  std::int64_t sent_ns = 0;
};
struct CancelAsked {
  JobId job = 0;
};
struct DrainAsked {};
struct TimePassed {};
using Input = std::variant<PluginServes, JobArrived, ChildReported, ChildLooked, StartFailed, LeaseRenewed,
                           CancelAsked, DrainAsked, TimePassed>;

// ---- actions
struct StartChild {
  ChildId child = 0;
  LambdaIndex lambda = 0;
  std::string hash;
};
struct GiveJob {
  ChildId child = 0;
  wire::RunJob job;
};
struct CancelChild {
  ChildId child = 0;
};
struct KillChild {
  ChildId child = 0;
  Outcome why;
};
struct StopChild {
  ChildId child = 0;
};
struct ReportStatus {
  wire::JobStatus status;
};
struct ReportCredit {
  LambdaIndex lambda = 0;
  std::uint32_t jobs_max = 0;
  std::string hash, trouble;
};
struct ReportDrained {};  // nothing runs and no child is left
using Action = std::variant<StartChild, GiveJob, CancelChild, KillChild, StopChild, ReportStatus, ReportCredit,
                            ReportDrained>;

class Worker {
 public:
  explicit Worker(WorkerPlan plan);
  ~Worker();

  std::vector<Action> step(std::int64_t now_ns, std::span<Input> inputs);
  std::optional<std::int64_t> next_deadline() const;
  std::vector<wire::RunningEvent> running() const;  // for the heartbeat
  bool has_jobs() const;                            // children must be looked at

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cape::host
