// tests/sim/options.hpp
// What one run of the simulation meets. A seed says all of it: options_for(seed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {

enum class PlanShape : std::uint8_t { strict, pipelined, chain, join, latest, limits, needs };

struct SimulationOptions {
  std::uint64_t seed = 1;
  PlanShape shape = PlanShape::strict;
  bool operators = false;
  bool poison = false;          // some events of some subjects fail for ever, some fit no answer
  bool config_changes = false;  // topologies come, go and change their `after` when the broker starts anew
  bool park_after = false;    // events that fail are parked after some attempts, those that fail for ever too
  bool late_events = false;   // become visible below others
  bool baseline = false;      // a topology begins at the source's latest, which has events before the start
  bool canaries = false;      // two versions of some lambdas run, each on a part of the subjects
  bool replays = false;       // operators have ranges run again, in the shadows of topologies
  bool lying_source = false;  // denies subjects, tells of events it does not give, forgets its last ones
  std::uint32_t jobs_per_host = 2;  // of each lambda
  std::uint32_t jobs_in_all = 0;    // that a host takes; 0: what it takes of each lambda
  SubjectId subjects = 12;
  std::int64_t trouble_ns = 4 * second;  // how long things fail
  // Events of a subject that are not through everywhere, at which no more of it come for a while; 0: they
  // come all the same. All of them have to run once the failures have ended, when they show little.
  std::size_t backlog_max = 30;
  std::size_t waiting_bytes_max = 4096;
  std::size_t timers_max = 4;
};

// Few busy subjects with room, the usual, and many that hardly fit; each with every shape of plan, with and
// without each of the rest.
SimulationOptions options_for(std::uint64_t seed);
std::string to_text(const SimulationOptions& options);

// Every topology that the run may ever meet.
SchedulerPlan plan_of(const SimulationOptions& options);

}  // namespace cape::scheduler
