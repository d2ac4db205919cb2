// tests/sim/config.hpp
// The config of one life of the broker: which of the run's topologies it knows, and what comes after what.
// The run counts topologies and lambdas as plan_of() does; the scheduler of a life counts its own.
#pragma once

#include <random>
#include <span>
#include <vector>

#include "broker/scheduler/plan.hpp"
#include "core/config/config.hpp"

namespace cape::scheduler {

struct SimConfig {
  std::vector<bool> known;                        // by the run's topology
  std::vector<std::vector<TopologyIndex>> after;  // the same
  std::vector<LambdaIndex> canaries;              // lambdas that have a twin
};

SimConfig whole_config(const SchedulerPlan& all);
std::size_t live_topologies(const SchedulerPlan& all);
void set_known(SimConfig& config, const SchedulerPlan& all, TopologyIndex live,
               bool known);  // and its shadow
// Another one: a live topology more or less, or one `after` more or less. At least one topology stays.
void change_config(SimConfig& config, const SchedulerPlan& all, std::mt19937_64& random);

inline constexpr TopologyIndex not_known = UINT32_MAX;

struct Life {
  SchedulerPlan plan;
  std::vector<TopologyIndex> topology_here;  // by the run's; not_known
  std::vector<TopologyIndex> topology_of;    // the run's, by the life's
  std::vector<LambdaIndex> lambda_of;        // the same; a twin is its lambda

  // The run's. Their shadows, if there are any, lie behind them in the same order.
  std::span<const TopologyIndex> live() const { return std::span(topology_of).first(live_topologies(plan)); }
};
Life make_life(const SchedulerPlan& all, const SimConfig& config);
// What of the config the broker's parts read.
Config broker_config(const Life& life);

}  // namespace cape::scheduler
