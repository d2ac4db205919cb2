// broker/scheduler/plan.hpp
// SchedulerPlan is what the scheduler needs of the config: topologies and lambdas as small integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/types.hpp"

namespace cape::scheduler {

// Of one lambda and subject of a pipelined topology: jobs that are in flight or wait for another try. Behind
// so many nothing further is issued.
inline constexpr std::size_t pipelined_jobs_max = 16;

struct LambdaSpec {
  std::string name;
  std::string plugin;
  TopologyIndex topology = 0;
  std::vector<LambdaIndex> needs = {};        // of the same topology, all before this one
  HostLabels where = {};                      // only hosts with all of these labels run it
  std::uint64_t output_bytes_max = 1u << 20;  // of one event
  BreakerPolicy breaker = {};
  // With `canary` in the config a lambda has two slots, itself and its twin, so that two versions of its
  // plugin run side by side: each has a queue, a breaker, credit and children of its own. Each names the
  // other.
  std::optional<LambdaIndex> twin = {};
  bool is_twin = false;  // the second slot: behind all other lambdas, in no topology's range
};

struct TopologySpec {
  std::string name;
  DomainIndex domain = 0;
  Mode mode = Mode::strict;
  Sequence start = 1;                // first sequence to run
  bool shadow = false;               // of a replay: alone in its domain
  bool from_baseline = false;        // a stored baseline has where it begins, by subject; `start` is 1
  std::vector<TopologyIndex> after;  // of the same domain: their lowest cursor is this topology's limit
  RetryPolicy retry;
  Late late = Late::report;
  std::uint32_t batch_events = 256;
  std::uint64_t batch_bytes = 256u << 10;
  std::uint32_t events_per_s = 0;              // 0: no bound
  std::uint32_t jobs_max = 0;                  // in flight at once; 0: no bound
  std::uint32_t weight = 1;                    // its share of a host's jobs_max
  std::uint64_t outputs_bytes_max = 4u << 20;  // kept for the dependants of one subject
  LambdaIndex first_lambda = 0;  // in SchedulerPlan::lambdas; the others of the topology follow it
  std::uint32_t lambda_count = 0;
};

struct SchedulerPlan {
  std::vector<TopologySpec> topologies;
  std::vector<LambdaSpec> lambdas;                    // and behind them their twins
  std::vector<std::vector<TopologyIndex>> of_domain;  // by DomainIndex
  std::vector<std::string> domains;                   // names, by DomainIndex
  std::int64_t lease_ns = 10'000'000'000;
  std::int64_t kill_ns = 2'000'000'000;       // how long after its lease a host's children may take to die
  std::size_t waiting_bytes_max = 32u << 20;  // of blocks that wait to run, per lambda
  std::size_t timers_max = 100'000;           // subjects that wait for a time, per lambda
  std::uint64_t outputs_bytes_max = 256u
                                    << 20;  // of all topologies whose lambdas need others, in equal parts
  std::uint64_t seed = 1;                   // of the backoff jitter
};

SchedulerPlan make_plan(const Config& config);

}  // namespace cape::scheduler
