// The plans that the simulation runs.
#include "core/config/shadow.hpp"
#include "tests/sim/options.hpp"

namespace cape::scheduler {
namespace {

void strict_with_one_after(SchedulerPlan& plan) {
  add_topology(plan, "audit");
  add_topology(plan, "index", {"a", "b"}).start = 4;
  add_topology(plan, "late").after = {0};
}

void pipelined_beside_strict(SchedulerPlan& plan) {
  add_topology(plan, "audit").mode = Mode::pipelined;
  TopologySpec& index = add_topology(plan, "index", {"a", "b"});
  index.mode = Mode::pipelined;
  index.start = 4;
  add_topology(plan, "mail");
}

void chain_through_both_modes(SchedulerPlan& plan) {
  add_topology(plan, "audit").mode = Mode::pipelined;
  TopologySpec& index = add_topology(plan, "index", {"a", "b"});
  index.mode = Mode::pipelined;
  index.after = {0};
  add_topology(plan, "late").after = {1};
}

// The topologies that come first stand last.
void fork_and_join(SchedulerPlan& plan) {
  TopologySpec& join = add_topology(plan, "join", {"a", "b"});
  join.mode = Mode::pipelined;
  join.after = {1, 2};
  add_topology(plan, "left").after = {3};
  TopologySpec& right = add_topology(plan, "right");
  right.mode = Mode::pipelined;
  right.start = 4;
  right.after = {3};
  add_topology(plan, "audit").mode = Mode::pipelined;
}

void newest_events_alone(SchedulerPlan& plan) {
  add_topology(plan, "audit");
  add_topology(plan, "preview", {"a", "b"}).mode = Mode::latest;
  TopologySpec& badge = add_topology(plan, "badge");
  badge.mode = Mode::latest;
  badge.after = {0};
  add_topology(plan, "mail").after = {1};
}

void limits_of_topologies(SchedulerPlan& plan) {
  add_topology(plan, "audit").events_per_s = 400;
  TopologySpec& index = add_topology(plan, "index", {"a", "b"});
  index.mode = Mode::pipelined;
  index.jobs_max = 2;
  TopologySpec& mail = add_topology(plan, "mail");
  mail.jobs_max = 1;
  mail.events_per_s = 600;
  mail.after = {0};
}

// A lambda that two need which a fourth needs, and two beside them in the other mode. Room for the outputs of
// few events, and of few subjects.
void fork_and_join_within(SchedulerPlan& plan) {
  add_topology(plan, "audit", {"up", "left", "right", "join"}).outputs_bytes_max = 4000;
  plan.lambdas[1].needs = {0};
  plan.lambdas[2].needs = {0};
  plan.lambdas[3].needs = {1, 2};
  TopologySpec& index = add_topology(plan, "index", {"a", "b"});
  index.mode = Mode::pipelined;
  index.outputs_bytes_max = 2000;
  index.after = {0};
  plan.lambdas[5].needs = {4};
  plan.outputs_bytes_max = 4000;
}

// Every other one that may, as the config has it.
bool runs_late(const SchedulerPlan& plan, const TopologySpec& topology, std::uint64_t seed) {
  for (std::uint32_t i = 0; i < topology.lambda_count; ++i)
    if (!plan.lambdas[topology.first_lambda + i].needs.empty()) return false;
  if (topology.mode == Mode::latest || topology.from_baseline) return false;
  return (static_cast<std::uint64_t>(&topology - plan.topologies.data()) + seed / 7) % 2 == 0;
}

// As with_shadows() and make_plan() have it. They lie behind all that is live.
void add_shadows(SchedulerPlan& plan) {
  const std::size_t live = plan.topologies.size();
  for (TopologyIndex i = 0; i < live; ++i) {
    TopologySpec shadow = plan.topologies[i];
    shadow.name = shadow_name(shadow.name);
    shadow.shadow = true;
    shadow.start = 1;
    shadow.from_baseline = false;
    shadow.after.clear();
    shadow.domain = static_cast<DomainIndex>(plan.domains.size());
    const LambdaIndex first = shadow.first_lambda;
    shadow.first_lambda = static_cast<LambdaIndex>(plan.lambdas.size());
    for (std::uint32_t at = 0; at < shadow.lambda_count; ++at) {
      LambdaSpec lambda = plan.lambdas[first + at];
      lambda.topology = static_cast<TopologyIndex>(plan.topologies.size());
      for (LambdaIndex& needed : lambda.needs) needed = needed - first + shadow.first_lambda;
      plan.lambdas.push_back(std::move(lambda));
    }
    plan.domains.push_back(shadow.name);
    plan.of_domain.push_back({static_cast<TopologyIndex>(plan.topologies.size())});
    plan.topologies.push_back(std::move(shadow));
  }
}

}  // namespace

SchedulerPlan plan_of(const SimulationOptions& options) {
  SchedulerPlan plan;
  switch (options.shape) {
    case PlanShape::strict:
      strict_with_one_after(plan);
      break;
    case PlanShape::pipelined:
      pipelined_beside_strict(plan);
      break;
    case PlanShape::chain:
      chain_through_both_modes(plan);
      break;
    case PlanShape::join:
      fork_and_join(plan);
      break;
    case PlanShape::latest:
      newest_events_alone(plan);
      break;
    case PlanShape::limits:
      limits_of_topologies(plan);
      break;
    case PlanShape::needs:
      fork_and_join_within(plan);
      break;
  }
  if (options.baseline) {  // of a topology with dependants, and of some without
    const std::size_t which = options.shape == PlanShape::chain ? 0
                              : options.shape == PlanShape::pipelined || options.shape == PlanShape::needs
                                  ? 1
                                  : 2;
    TopologySpec& topology = plan.topologies.at(which);
    topology.from_baseline = true;
    topology.start = 1;
  }
  for (TopologySpec& topology : plan.topologies) {
    topology.batch_events = topology.mode == Mode::pipelined ? 2 : 3;
    topology.retry = {.first_ms = 20, .factor = 2, .max_ms = 200};
    if (options.park_after) topology.retry.park_after = 3;
    topology.late = runs_late(plan, topology, options.seed) ? Late::run : Late::report;
  }
  for (LambdaSpec& lambda : plan.lambdas) lambda.breaker = {.subjects = 3, .probe_max_ms = 200};
  for (TopologyIndex i = 0; i < plan.topologies.size(); ++i) plan.topologies[i].weight = 1 + i;
  plan.domains = {"events"};
  if (options.replays) add_shadows(plan);
  plan.lease_ns = second;
  plan.kill_ns = 200 * ms;
  plan.waiting_bytes_max = options.waiting_bytes_max;
  plan.timers_max = options.timers_max;
  plan.seed = options.seed;
  return plan;
}

}  // namespace cape::scheduler
