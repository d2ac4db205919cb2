#include "broker/scheduler/layout.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape::scheduler {
namespace {

void connect(DomainLayout& layout, TopologyPlace& place) {
  for (std::uint32_t lane = place.first_lane; lane < place.first_lane + place.lane_count; ++lane)
    for (std::uint32_t needed : layout.needs[lane]) layout.needed_by[needed].push_back(lane);
  for (std::uint32_t lane = place.first_lane + place.lane_count; lane-- > place.first_lane;) {
    if (layout.needed_by[lane].empty()) continue;
    ++place.needed_count;
    place.first_needed = lane;
    layout.has_needs = true;
  }
}

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
      layout.needs.emplace_back();
      layout.needed_by.emplace_back();
      for (LambdaIndex needed : plan.lambdas[spec.first_lambda + i].needs) {
        CAPE_CHECK(needed >= spec.first_lambda && needed < spec.first_lambda + i);  // the config sorts them
        layout.needs.back().push_back(place.first_lane + needed - spec.first_lambda);
      }
    }
    connect(layout, place);
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
