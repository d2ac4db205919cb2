#include "host/worker/worker.hpp"

#include <algorithm>
#include <map>

#include "host/worker/lambda_worker.hpp"

namespace cape::host {

struct Worker::State {
  explicit State(WorkerPlan given) : plan(std::move(given)) {
    for (LambdaIndex i = 0; i < plan.lambdas.size(); ++i) lambdas.emplace_back(i, plan.lambdas[i], plan);
  }

  LambdaWorker* of_child(ChildId child) {
    const auto found = lambda_of.find(child);
    return found == lambda_of.end() ? nullptr : &lambdas[found->second];
  }

  void take(PluginServes& in) {
    if (in.lambda < lambdas.size()) lambdas[in.lambda].serves(in);
  }
  void take(JobArrived& in);
  void take(JobRefused& in) {
    if (LambdaWorker* lambda = of_child(in.child)) lambda->refused(in.child, in.job, around.now_ns);
  }
  void take(ChildReported& in);
  void take(ChildLooked& in) {
    if (LambdaWorker* lambda = of_child(in.child)) lambda->looked(in.child, in.running, around.now_ns);
  }
  void take(ChildUsed& in) {
    if (LambdaWorker* lambda = of_child(in.child)) lambda->used(in.child, in.resident_bytes);
  }
  void take(StartFailed& in);
  void take(LeaseRenewed& in) { lease_end_ns = std::max(lease_end_ns, in.end_ns); }
  void take(CancelAsked& in) {
    for (LambdaWorker& lambda : lambdas) lambda.cancel(in.job);
  }
  void take(SessionStarted&);
  void take(SessionEnded&);
  void take(DrainAsked&) {
    if (!around.drain_until_ns) around.drain_until_ns = around.now_ns + plan.drain_timeout_ns;
  }
  void take(TimePassed&) {}

  std::vector<Action> decide();
  void say_what_ended(std::vector<Action>& out);

  WorkerPlan plan;
  std::vector<LambdaWorker> lambdas;
  std::map<ChildId, LambdaIndex> lambda_of;
  Surroundings around;
  std::int64_t lease_end_ns = 0;  // 0: none yet, so no job can have come
  ChildId last_child = 0;
  bool ending_session = false, drained = false;
  std::vector<wire::JobStatus> unknown;  // jobs that belong to no lambda of ours
};

void Worker::State::take(JobArrived& in) {
  if (!around.session_open) return;  // of a session that is over: nobody waits for it
  if (in.job.lambda < lambdas.size()) return lambdas[in.job.lambda].arrived(std::move(in.job));
  wire::JobStatus status{.job = in.job.job};
  status.end = {OutcomeKind::setup,
                "this host's config has no such lambda: give broker and host the same cape.toml"};
  unknown.push_back(std::move(status));
}

void Worker::State::take(ChildReported& in) {
  LambdaWorker* lambda = of_child(in.child);
  if (lambda == nullptr) return;
  lambda->reported(in.child, in.report, around.now_ns);
  if (std::holds_alternative<child::ChildEnded>(in.report)) lambda_of.erase(in.child);
}

void Worker::State::take(StartFailed& in) {
  LambdaWorker* lambda = of_child(in.child);
  if (lambda == nullptr) return;
  lambda->start_failed(in.child, in.reason, around.now_ns);
  lambda_of.erase(in.child);
}

void Worker::State::take(SessionStarted&) {
  around.session_open = true;
  for (LambdaWorker& lambda : lambdas) lambda.session_started();
}

void Worker::State::take(SessionEnded&) {
  around.session_open = false;
  ending_session = true;
  lease_end_ns = 0;  // that lease was the old session's; no job is left that it could protect
  unknown.clear();
  for (LambdaWorker& lambda : lambdas) lambda.session_ended();
}

std::vector<Action> Worker::State::decide() {
  std::vector<Action> out;
  around.fenced = lease_end_ns != 0 && around.now_ns >= lease_end_ns;
  for (wire::JobStatus& status : unknown) out.emplace_back(ReportStatus{std::move(status)});
  unknown.clear();
  for (LambdaIndex i = 0; i < lambdas.size(); ++i) {
    const ChildId before = last_child;
    lambdas[i].decide(around, last_child, out);
    for (ChildId id = before + 1; id <= last_child; ++id) lambda_of[id] = i;
  }
  say_what_ended(out);
  return out;
}

void Worker::State::say_what_ended(std::vector<Action>& out) {
  if (ending_session && std::ranges::all_of(lambdas, &LambdaWorker::is_quiet)) {
    ending_session = false;
    out.emplace_back(ReportQuiet{});
  }
  const bool empty = std::ranges::none_of(lambdas, &LambdaWorker::has_children);
  if (around.drain_until_ns && empty && !std::exchange(drained, true)) out.emplace_back(ReportDrained{});
}

Worker::Worker(WorkerPlan plan) : state_(std::make_unique<State>(std::move(plan))) {}
Worker::~Worker() = default;

std::vector<Action> Worker::step(std::int64_t now_ns, std::span<Input> inputs) {
  state_->around.now_ns = now_ns;
  for (Input& input : inputs) std::visit([&](auto& in) { state_->take(in); }, input);
  return state_->decide();
}

std::optional<std::int64_t> Worker::next_deadline() const {
  std::optional<std::int64_t> soonest;
  const auto sooner = [&](std::optional<std::int64_t> time_ns) {
    if (time_ns) soonest = std::min(soonest.value_or(*time_ns), *time_ns);
  };
  for (const LambdaWorker& lambda : state_->lambdas) sooner(lambda.next_deadline(state_->around));
  if (state_->lease_end_ns > state_->around.now_ns) sooner(state_->lease_end_ns);
  return soonest;
}

std::vector<wire::RunningEvent> Worker::running() const {
  std::vector<wire::RunningEvent> events;
  for (const LambdaWorker& lambda : state_->lambdas) lambda.append_running(events);
  return events;
}

std::vector<BytesJudged> Worker::take_judged() {
  std::vector<BytesJudged> judged;
  for (LambdaWorker& lambda : state_->lambdas) lambda.take_judged(judged);
  return judged;
}

bool Worker::has_jobs() const {
  return std::ranges::any_of(state_->lambdas, &LambdaWorker::has_jobs);
}

}  // namespace cape::host
