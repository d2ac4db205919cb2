#include "broker/scheduler/layout.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape::scheduler {
namespace {

DomainLayout make_layout(const SchedulerPlan& plan, const std::vector<TopologyIndex>& topologies) {
  DomainLayout layout;
  for (TopologyIndex index : topologies) {
    const TopologySpec& spec = plan.topologies[index];
    TopologyPlace place{.topology = index,
                        .first_lane = static_cast<std::uint32_t>(layout.lambda_of.size()),
                        .lane_count = spec.lambda_count,
                        .after = {}};
    for (TopologyIndex earlier : spec.after) {
      const auto at = std::ranges::find(topologies, earlier);
      CAPE_CHECK(at != topologies.end());  // the config refuses `after` across domains
      place.after.push_back(static_cast<std::uint32_t>(at - topologies.begin()));
    }
    for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
      layout.lambda_of.push_back(spec.first_lambda + i);
      layout.topology_of.push_back(static_cast<std::uint32_t>(layout.topologies.size()));
    }
    layout.topologies.push_back(std::move(place));
  }
  return layout;
}

}  // namespace

std::vector<DomainLayout> make_layouts(const SchedulerPlan& plan) {
  std::vector<DomainLayout> layouts;
  for (const auto& topologies : plan.of_domain) layouts.push_back(make_layout(plan, topologies));
  return layouts;
}

}  // namespace cape::scheduler
