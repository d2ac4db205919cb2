// broker/scheduler/layout.hpp
// How the lambdas of a domain lie in a subject's state: one flat list of lanes, topology by topology.
// Fixed once the plan is.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/scheduler/plan.hpp"

namespace cape::scheduler {

struct TopologyPlace {
  TopologyIndex topology = 0;
  std::uint32_t first_lane = 0;  // lanes [first_lane, first_lane + lane_count)
  std::uint32_t lane_count = 0;
  std::vector<std::uint32_t> after;  // indices into DomainLayout::topologies
  std::uint32_t needed_count = 0;    // lanes with outputs
  std::uint32_t first_needed = 0;    // the first of them
};

struct DomainLayout {
  std::vector<TopologyPlace> topologies;
  std::vector<LambdaIndex> lambda_of;      // by lane
  std::vector<std::uint32_t> topology_of;  // by lane: index into `topologies`
  // By lane: the lanes whose outputs it gets, all before it, and those that get its own, all behind it.
  std::vector<std::vector<std::uint32_t>> needs, needed_by;
  bool has_needs = false;
};

std::vector<DomainLayout> make_layouts(const SchedulerPlan& plan);

}  // namespace cape::scheduler
