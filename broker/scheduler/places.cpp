// Who gets the places of hosts that take a number of jobs in all.
//
// A freed place goes to the topology that has fewest jobs in flight for its weight, of those that have work
// for it. Not to each in turn (deficit round robin): a topology whose jobs take long would then come to hold
// all places, for it gives none back while others do. So in the end each has places in proportion to its
// weight, however long its jobs take, and what one does not use the others have.
#include "broker/scheduler/state.hpp"

namespace cape::scheduler {

// Its lambdas take turns.
std::optional<LambdaIndex> Scheduler::State::lambda_to_issue(TopologyIndex topology) {
  const std::vector<LambdaIndex>& lambdas = lambdas_of[topology];
  for (std::size_t i = 0; i < lambdas.size(); ++i) {
    const LambdaIndex lambda = lambdas[(next_lambda[topology] + i) % lambdas.size()];
    if (queues.is_empty(lambda) || next_in_line(lambda) == nullptr || hosts.with_room(lambda) == nullptr)
      continue;
    if (limits[topology].may_issue(now.boot_ns)) return lambda;
    limits[topology].block();
  }
  return std::nullopt;
}

bool Scheduler::State::issue_places() {
  if (!std::exchange(places_wanted, false)) return false;
  const auto count = static_cast<TopologyIndex>(limits.size());
  std::vector<std::optional<LambdaIndex>> wants(count);
  for (TopologyIndex t = 0; t < count; ++t) wants[t] = lambda_to_issue(t);
  bool issued = false;
  for (;;) {
    std::optional<TopologyIndex> best;
    for (TopologyIndex i = 0; i < count; ++i) {
      const TopologyIndex t = (next_topology + i) % count;
      if (!wants[t]) continue;
      const auto share = [&](TopologyIndex of, TopologyIndex against) {
        return std::uint64_t{limits[of].jobs() + 1} * plan.topologies[against].weight;
      };
      if (!best || share(t, *best) < share(*best, t)) best = t;
    }
    if (!best) return issued;
    const std::vector<LambdaIndex>& lambdas = lambdas_of[*best];
    issued |= issue_next(*wants[*best]);
    const auto place = std::ranges::find(lambdas, *wants[*best]) - lambdas.begin();
    next_lambda[*best] = static_cast<std::uint32_t>(static_cast<std::size_t>(place + 1) % lambdas.size());
    next_topology = (*best + 1) % count;
    for (TopologyIndex t = 0; t < count; ++t)  // the place may have been the last one
      if (wants[t]) wants[t] = lambda_to_issue(t);
  }
}

}  // namespace cape::scheduler
