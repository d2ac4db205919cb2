// tests/sim/config.hpp
// The config of one life of the broker: which of the run's topologies it knows, and what comes after what.
// The run counts topologies and lambdas as plan_of() does; the scheduler of a life counts its own.
#pragma once

#include <random>
#include <vector>

#include "broker/scheduler/plan.hpp"

namespace cape::scheduler {

struct SimConfig {
  std::vector<bool> known;                        // by the run's topology
  std::vector<std::vector<TopologyIndex>> after;  // the same
  std::vector<LambdaIndex> canaries;              // lambdas that have a twin
};

SimConfig whole_config(const SchedulerPlan& all);
// Another one: a topology more or less, or one `after` more or less. At least one topology stays.
void change_config(SimConfig& config, const SchedulerPlan& all, std::mt19937_64& random);

inline constexpr TopologyIndex not_known = UINT32_MAX;

struct Life {
  SchedulerPlan plan;
  std::vector<TopologyIndex> topology_here;  // by the run's; not_known
  std::vector<TopologyIndex> topology_of;    // the run's, by the life's
  std::vector<LambdaIndex> lambda_of;        // the same; a twin is its lambda
};
Life make_life(const SchedulerPlan& all, const SimConfig& config);

}  // namespace cape::scheduler
