#include "tests/sim/simulation.hpp"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

namespace cape::scheduler {
namespace {

constexpr std::uint64_t shapes = 4;

// Few busy subjects with room, the usual, and many that hardly fit; each with every shape of plan, with and
// without events that fail for ever.
SimulationOptions options_for(std::uint64_t seed) {
  SimulationOptions options{.seed = seed};
  if (seed % 3 == 0) {
    options.subjects = 3;
    options.waiting_bytes_max = 1u << 20;
    options.timers_max = 1000;
    options.jobs_per_host = 8;
  } else if (seed % 3 == 2) {
    options.subjects = 40;
    options.waiting_bytes_max = 700;
    options.timers_max = 2;
  }
  options.shape = static_cast<PlanShape>(seed / 3 % shapes);
  options.poison = seed / (3 * shapes) % 2 == 1;
  options.operators = seed / (6 * shapes) % 2 == 1;
  return options;
}

struct Met {
  std::uint64_t events = 0, crashes = 0, walks = 0, lost = 0, parked = 0, overtaken = 0, acts = 0;
};

// false: a promise was broken, and told with its seed.
bool run_seed(std::uint64_t seed, Met& met) {
  Simulation simulation(options_for(seed));
  simulation.run();
  for (const std::string& violation : simulation.violations()) ADD_FAILURE() << violation;
  met.events += simulation.events_run();
  met.crashes += simulation.crashes();
  met.walks += simulation.walks();
  met.lost += simulation.hosts_lost();
  met.parked += simulation.parked();
  met.overtaken += simulation.overtaken();
  met.acts += simulation.acts_done();
  return simulation.violations().empty();
}

TEST(SchedulerSimulation, HoldsItsPromisesThroughFailuresCrashesAndLostHosts) {
  Met met;

  for (std::uint64_t seed = 1; seed <= 96; ++seed)
    if (!run_seed(seed, met)) return;

  // It did meet what it is there to meet.
  EXPECT_GT(met.events, 10'000u);
  EXPECT_GT(met.crashes, 20u);
  EXPECT_GT(met.walks, 20u);
  EXPECT_GT(met.lost, 20u);
  EXPECT_GT(met.parked, 20u);
  EXPECT_GT(met.overtaken, 20u);
  EXPECT_GT(met.acts, 200u);
}

// Thousands of seeds take minutes: CAPE_SIMULATION_SEEDS=FIRST-LAST asks for them.
TEST(SchedulerSimulation, HoldsItsPromisesForEverySeedAskedFor) {
  const char* asked = std::getenv("CAPE_SIMULATION_SEEDS");
  std::uint64_t first = 0, last = 0;
  if (asked == nullptr || std::sscanf(asked, "%lu-%lu", &first, &last) != 2)
    GTEST_SKIP() << "set CAPE_SIMULATION_SEEDS=FIRST-LAST to run more seeds than the test above";
  Met met;

  for (std::uint64_t seed = first; seed <= last; ++seed)
    if (!run_seed(seed, met)) return;
}

class SchedulerReplay : public testing::TestWithParam<PlanShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, SchedulerReplay,
                         testing::Values(PlanShape::strict, PlanShape::pipelined, PlanShape::chain,
                                         PlanShape::join));

TEST_P(SchedulerReplay, TheSameInputsGiveTheSameActionsByteForByte) {
  const SimulationOptions options{.seed = 7, .shape = GetParam(), .record = true};
  Simulation simulation(options);
  simulation.run();
  ASSERT_GT(simulation.steps().size(), 1000u);

  std::optional<Scheduler> again;
  std::uint32_t epoch = 0;
  for (const Simulation::Step& step : simulation.steps()) {
    if (step.epoch != epoch) again.emplace(Simulation::plan_of(options), epoch = step.epoch);
    ASSERT_EQ(to_text(again->step(step.now, step.inputs)), step.actions);
  }
}

// Subject 1 fails a thousand times; the others must not notice, not even those that back off themselves.
TEST(SchedulerIsolation, ASubjectThatFailsAThousandTimesLeavesTheTimesOfOthersAlone) {
  const auto run = [](bool with_failing) {
    SchedulerPlan plan = one_topology();
    plan.topologies[0].retry = {.first_ms = 1, .factor = 1, .max_ms = 1};
    World w(plan);
    w.host(1, 1000);
    std::string of_others;
    std::optional<IssueJob> failing;
    for (int round = 0; round < 1200; ++round) {
      w.advance(2 * ms);
      w.step({Heartbeat{.host = 1, .running = {}}, Tick{}});
      if (with_failing) {
        if (failing) w.status(1, failed_at(*failing, 1, OutcomeKind::signaled));
        w.advance(ms);
        w.step({Tick{}});
        w.request(1, 1, run_of(1, 1));
        failing = w.only<IssueJob>();
      } else {
        w.advance(ms);
        w.step({Tick{}});
      }
      const auto subject = static_cast<SubjectId>(2 + round);
      w.request(subject, 1, run_of(1, 1));
      const auto job = w.only<IssueJob>();
      EXPECT_EQ(job.subject, subject);
      w.status(1, round % 3 == 0 ? failed_at(job, 1, OutcomeKind::retry) : all_done(job));
      for (const Notice& notice : all_of<Notice>(w.last))
        of_others += fmt::format("{} {}\n", w.now.boot_ns, notice.next_try_ns);
    }
    if (with_failing) {
      EXPECT_GT(failing->attempt, 1000u);
    }
    return of_others;
  };

  EXPECT_EQ(run(true), run(false));
}

}  // namespace
}  // namespace cape::scheduler
