#include "broker/scheduler/plan.hpp"

#include <algorithm>

#include "core/clock.hpp"

namespace cape::scheduler {
namespace {

// What a baseline does not name starts at 1.
Sequence first_sequence(const StartPosition& start) {
  return start.kind == StartPosition::Kind::sequence ? start.sequence : 1;
}

// A topology of ten events a second shall not get a minute's worth of them at once.
std::uint32_t batch_of(const TopologyConfig& topology) {
  if (topology.events_per_s == 0) return topology.batch_events;
  return std::min(topology.batch_events, std::max(1u, topology.events_per_s / 10));
}

std::vector<LambdaIndex> lambdas_of(const std::vector<std::string>& names, const TopologyConfig& topology,
                                    LambdaIndex first) {
  std::vector<LambdaIndex> found;
  for (LambdaIndex i = 0; i < topology.lambdas.size(); ++i)
    if (std::ranges::find(names, topology.lambdas[i].name) != names.end()) found.push_back(first + i);
  return found;
}

void add_twins(SchedulerPlan& plan, const std::vector<LambdaIndex>& of) {
  for (LambdaIndex lambda : of) {
    LambdaSpec twin = plan.lambdas[lambda];
    twin.is_twin = true;
    twin.twin = lambda;
    plan.lambdas[lambda].twin = static_cast<LambdaIndex>(plan.lambdas.size());
    plan.lambdas.push_back(std::move(twin));
  }
}

}  // namespace

SchedulerPlan make_plan(const Config& config) {
  SchedulerPlan plan;
  plan.lease_ns = config.lease_ms * ns_per_ms;
  plan.outputs_bytes_max = config.outputs_bytes_max;
  std::vector<LambdaIndex> with_twin;
  plan.of_domain.resize(config.domains.size());
  for (const DomainConfig& domain : config.domains) plan.domains.push_back(domain.name);
  for (const TopologyConfig& from : config.topologies) {
    const auto index = static_cast<TopologyIndex>(plan.topologies.size());
    plan.topologies.push_back({.name = from.name,
                               .domain = from.domain,
                               .mode = from.mode,
                               .start = first_sequence(from.start),
                               .shadow = from.shadow_of.has_value(),
                               .from_baseline = from.start.kind == StartPosition::Kind::latest,
                               .after = from.after,
                               .retry = from.retry,
                               .late = from.late,
                               .batch_events = batch_of(from),
                               .batch_bytes = from.batch_bytes,
                               .events_per_s = from.events_per_s,
                               .jobs_max = from.jobs_max,
                               .weight = from.weight,
                               .outputs_bytes_max = from.outputs_bytes_max,
                               .first_lambda = static_cast<LambdaIndex>(plan.lambdas.size()),
                               .lambda_count = static_cast<std::uint32_t>(from.lambdas.size())});
    for (const LambdaConfig& lambda : from.lambdas) {
      if (lambda.canary) with_twin.push_back(static_cast<LambdaIndex>(plan.lambdas.size()));
      plan.lambdas.push_back({.name = lambda.name,
                              .plugin = lambda.plugin,
                              .topology = index,
                              .needs = lambdas_of(lambda.needs, from, plan.topologies.back().first_lambda),
                              .where = lambda.where,
                              .output_bytes_max = lambda.limits.output_bytes,
                              .breaker = lambda.breaker});
    }
    plan.of_domain[from.domain].push_back(index);
  }
  add_twins(plan, with_twin);
  return plan;
}

}  // namespace cape::scheduler
