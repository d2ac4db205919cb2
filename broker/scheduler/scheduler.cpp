#include "broker/scheduler/scheduler.hpp"

#include <utility>
#include <variant>

#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

std::vector<std::uint32_t> lanes_by_lambda(const SchedulerPlan& plan,
                                           const std::vector<DomainLayout>& layouts) {
  std::vector<std::uint32_t> lane_of(plan.lambdas.size());
  for (const DomainLayout& layout : layouts)
    for (std::uint32_t lane = 0; lane < layout.lambda_of.size(); ++lane)
      lane_of[layout.lambda_of[lane]] = lane;
  for (LambdaIndex lambda = 0; lambda < plan.lambdas.size(); ++lambda)
    if (plan.lambdas[lambda].is_twin) lane_of[lambda] = lane_of[*plan.lambdas[lambda].twin];
  return lane_of;
}

Breaker::Policy breaker_policy(const SchedulerPlan& plan, const LambdaSpec& lambda) {
  const std::int64_t first_ms = plan.topologies[lambda.topology].retry.first_ms;
  return {.subjects = lambda.breaker.enabled ? lambda.breaker.subjects : 0,
          .wait_first_ns = first_ms * ns_per_ms,
          .wait_max_ns = std::max(first_ms, lambda.breaker.probe_max_ms) * ns_per_ms};
}

std::vector<OutputBudget> make_budgets(const SchedulerPlan& plan, const std::vector<DomainLayout>& layouts) {
  std::vector<OutputBudget> budgets(plan.topologies.size());
  std::uint64_t parts = 0;
  for (const DomainLayout& layout : layouts)
    for (const TopologyPlace& place : layout.topologies)
      parts += place.needed_count > 0 && !plan.topologies[place.topology].shadow;
  if (parts == 0) return {};
  for (const DomainLayout& layout : layouts)
    for (const TopologyPlace& place : layout.topologies) {
      if (place.needed_count == 0) continue;
      OutputBudget& budget = budgets[place.topology];
      budget.bytes_max = plan.outputs_bytes_max / parts;
      budget.lane_bytes_max = plan.topologies[place.topology].outputs_bytes_max / place.needed_count;
      budget.job_bytes_max = std::max<std::uint64_t>(1, budget.lane_bytes_max / 8);
    }
  return budgets;
}

}  // namespace

Scheduler::State::State(SchedulerPlan given, std::uint32_t given_epoch)
    : plan(std::move(given)),
      epoch(given_epoch),
      layouts(make_layouts(plan)),
      queues({.bytes_max = plan.waiting_bytes_max, .timers_max = plan.timers_max},
             lanes_by_lambda(plan, layouts), subjects),
      jobs(given_epoch),
      hosts(plan.lambdas.size(), plan.lease_ns + plan.kill_ns),
      topology_pauses(plan.topologies.size()) {
  for (const TopologySpec& topology : plan.topologies) baseline_runs.push_back(topology.from_baseline);
  for (const TopologySpec& topology : plan.topologies)
    limits.emplace_back(topology.events_per_s, topology.jobs_max);
  for (const LambdaSpec& lambda : plan.lambdas)
    circuits.push_back({Breaker(breaker_policy(plan, lambda)), {}});
  for (const TopologySpec& topology : plan.topologies) {
    std::vector<LambdaIndex>& all = lambdas_of.emplace_back();
    for (std::uint32_t i = 0; i < topology.lambda_count; ++i) all.push_back(topology.first_lambda + i);
  }
  for (LambdaIndex lambda = 0; lambda < plan.lambdas.size(); ++lambda)
    if (plan.lambdas[lambda].is_twin) lambdas_of[plan.lambdas[lambda].topology].push_back(lambda);
  splits.resize(plan.lambdas.size());
  next_lambda.resize(plan.topologies.size());
  budgets = make_budgets(plan, layouts);
}

void Scheduler::State::touch(Subject& s) {
  if (std::exchange(s.touched, true)) return;
  touched.push_back(s.slot);
}

Sequence Scheduler::State::cursor_of(const Subject& s, const TopologyPlace& place) const {
  Sequence lowest = INT64_MAX;
  for (std::uint32_t i = 0; i < place.lane_count; ++i)
    lowest = std::min(lowest, s.lanes[place.first_lane + i].cursor());
  return lowest;
}

Sequence Scheduler::State::limit(const Subject& s, const Lane& lane) const {
  const DomainLayout& layout = layout_of(s);
  Sequence lowest = INT64_MAX;
  for (std::uint32_t earlier : layout.topologies[layout.topology_of[lane.index]].after)
    lowest = std::min(lowest, trusted_cursor(s, earlier));
  return lowest;
}

// What others may go by: a skip counts once it is on disk.
Sequence Scheduler::State::trusted_cursor(const Subject& s, std::uint32_t place) const {
  Sequence cursor = cursor_of(s, layout_of(s).topologies[place]);
  if (!s.control) return cursor;
  for (const Control::Pending& act : s.control->acts)
    if (act.place == place && act.applied) cursor = std::min(cursor, act.from);
  return cursor;
}

Sequence Scheduler::State::parked_end(const Lane& lane) const {
  Sequence end = INT64_MAX;
  for (std::size_t i = 0; i < lane.line_size(); ++i)
    if (lane[i].parked)
      end = std::min(end, is_pipelined(lane) || !lane.earlier.empty() ? lane[i].failed_sequence - 1 : -1);
  return end;
}

Sequence Scheduler::State::end_without_inputs(const Subject& s, const Lane& lane,
                                              const Stretch& stretch) const {
  if (is_held(s, lane) || (lane.outputs && (lane.outputs->goes_back || is_full_for(lane, stretch))))
    return -1;
  if (lane.is_late(stretch)) return end_of_late(s, lane, stretch);
  return std::min({limit(s, lane), parked_end(lane), stretch.to});
}

Sequence Scheduler::State::end_of(const Subject& s, const Lane& lane, const Stretch& stretch) const {
  const Sequence end = end_without_inputs(s, lane, stretch);
  return layout_of(s).needs[lane.index].empty() ? end
                                                : std::min(end, inputs_end(s, lane, stretch.position()));
}

bool Scheduler::State::is_paused(const Subject& s, std::uint32_t place) const {
  return topology_pauses[layout_of(s).topologies[place].topology].paused ||
         (s.control && s.control->pause_of(place) != nullptr);
}

bool Scheduler::State::is_held(const Subject& s, const Lane& lane) const {
  const std::uint32_t place = layout_of(s).topology_of[lane.index];
  if (lane.unplaced || baseline_runs[plan.lambdas[lane.lambda].topology] || is_paused(s, place)) return true;
  return s.control && std::ranges::any_of(s.control->acts, [&](const Control::Pending& act) {
           return act.place == place && needs_fence(act.act);
         });
}

bool Scheduler::State::wants_events(const Subject& s, const Lane& lane, const Stretch& stretch) const {
  if (runs_latest(lane) && stretch.job != 0) return false;  // what is newest then is seen when it has ended
  return !lane.refused && takes_events(stretch) &&
         stretch.position() < std::min(s.latest, end_of(s, lane, stretch));
}

bool Scheduler::State::may_issue(const Lane& lane, const Stretch& stretch) const {
  if (stretch.job != 0 || lane.moves) return false;
  if (lane.outputs && is_full_for(lane, stretch)) return false;
  if (lane.late && !is_pipelined(lane) && lane.has_jobs()) return false;
  return !is_pipelined(lane) || !lane.is_open(stretch) || lane.earlier.size() < pipelined_jobs_max;
}

Scheduler::Scheduler(SchedulerPlan plan, std::uint32_t epoch)
    : state_(std::make_unique<State>(std::move(plan), epoch)) {}
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;

Actions Scheduler::step(Now now, std::span<const Input> inputs) {
  State& state = *state_;
  CAPE_CHECK(now.boot_ns >= state.now.boot_ns);
  state.now = now;
  state.let_go.clear();
  state.outcomes.clear();
  for (const Input& input : inputs) std::visit([&](const auto& i) { state.apply(i); }, input);
  // After the inputs: a heartbeat that waited while we slept still counts.
  state.lose_silent_hosts();
  state.fire_timers();
  state.issue_limited();
  state.issue_probes();
  std::size_t settled = 0;
  do {
    for (; settled < state.touched.size(); ++settled) state.settle(state.subjects.at(state.touched[settled]));
  } while (state.issue_with_room() || state.issue_places());
  state.touched.clear();
  if (state.queues.take_walks()) state.actions.push_back(WalkBehind{});
  state.drop_dead_timers();
  return std::exchange(state.actions, {});
}

std::optional<std::int64_t> Scheduler::next_deadline() const {
  std::optional<std::int64_t> next = state_->hosts.next_deadline();
  const auto sooner = [&](std::int64_t at) { next = next ? std::min(*next, at) : at; };
  if (const Timer* timer = state_->timers.first()) sooner(timer->at_ns);
  for (const TopologyLimit& limit : state_->limits)
    if (const auto at = limit.next_ns()) sooner(*at);
  if (const auto at = state_->next_probe_ns()) sooner(*at);
  if (state_->save_retry_ns != 0) sooner(state_->save_retry_ns);
  return next;
}

bool Scheduler::holds(SubjectId subject) const {
  return state_->subjects.find(subject) != nullptr;
}
bool Scheduler::needs_start(SubjectId subject) const {
  const Subject* s = state_->subjects.find(subject);
  return s != nullptr && state_->needs_start(*s);
}
const std::vector<SubjectId>& Scheduler::let_go() const {
  return state_->let_go;
}
const std::vector<JobOutcome>& Scheduler::outcomes() const {
  return state_->outcomes;
}
std::uint32_t Scheduler::jobs_of(LambdaIndex lambda) const {
  return state_->hosts.jobs_of(lambda);
}
bool Scheduler::knows_host(HostId host) const {
  return state_->hosts.find(host) != nullptr;
}

}  // namespace cape::scheduler
