#include "broker/scheduler/plan.hpp"

#include "core/clock.hpp"

namespace cape::scheduler {
namespace {

// `latest` was turned into a stored baseline before it comes here; what the baseline does not name starts
// at 1.
Sequence first_sequence(const StartPosition& start) {
  return start.kind == StartPosition::Kind::sequence ? start.sequence : 1;
}

}  // namespace

SchedulerPlan make_plan(const Config& config) {
  SchedulerPlan plan;
  plan.lease_ns = config.lease_ms * ns_per_ms;
  plan.of_domain.resize(config.domains.size());
  for (const DomainConfig& domain : config.domains) plan.domains.push_back(domain.name);
  for (const TopologyConfig& from : config.topologies) {
    const auto index = static_cast<TopologyIndex>(plan.topologies.size());
    plan.topologies.push_back({.name = from.name,
                               .domain = from.domain,
                               .mode = from.mode,
                               .start = first_sequence(from.start),
                               .after = from.after,
                               .retry = from.retry,
                               .batch_events = from.batch_events,
                               .batch_bytes = from.batch_bytes,
                               .first_lambda = static_cast<LambdaIndex>(plan.lambdas.size()),
                               .lambda_count = static_cast<std::uint32_t>(from.lambdas.size())});
    for (const LambdaConfig& lambda : from.lambdas)
      plan.lambdas.push_back({.name = lambda.name, .plugin = lambda.plugin, .topology = index});
    plan.of_domain[from.domain].push_back(index);
  }
  return plan;
}

}  // namespace cape::scheduler
