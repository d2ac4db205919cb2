// The plans that the simulation runs.
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
  }
  for (TopologySpec& topology : plan.topologies) {
    topology.batch_events = topology.mode == Mode::pipelined ? 2 : 3;
    topology.retry = {.first_ms = 20, .factor = 2, .max_ms = 200};
  }
  plan.domains = {"events"};
  plan.lease_ns = second;
  plan.kill_ns = 200 * ms;
  plan.waiting_bytes_max = options.waiting_bytes_max;
  plan.timers_max = options.timers_max;
  plan.seed = options.seed;
  return plan;
}

}  // namespace cape::scheduler
