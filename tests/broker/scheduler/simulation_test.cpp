#include "tests/broker/scheduler/simulation.hpp"

#include <gtest/gtest.h>

namespace cape::scheduler {
namespace {

// Few busy subjects with room, the usual, and many that hardly fit.
SimulationOptions options_for(std::uint64_t seed) {
  switch (seed % 3) {
    case 0:
      return {.seed = seed, .subjects = 3, .waiting_bytes_max = 1u << 20, .timers_max = 1000};
    case 1:
      return {.seed = seed};
    default:
      return {.seed = seed, .subjects = 40, .waiting_bytes_max = 700, .timers_max = 2};
  }
}

TEST(SchedulerSimulation, HoldsItsPromisesThroughFailuresCrashesAndLostHosts) {
  std::uint64_t events = 0, crashes = 0, walks = 0, lost = 0;

  for (std::uint64_t seed = 1; seed <= 45; ++seed) {
    Simulation simulation(options_for(seed));
    simulation.run();
    for (const std::string& violation : simulation.violations()) ADD_FAILURE() << violation;
    if (!simulation.violations().empty()) return;
    events += simulation.events_run();
    crashes += simulation.crashes();
    walks += simulation.walks();
    lost += simulation.hosts_lost();
  }
  // It did meet what it is there to meet.
  EXPECT_GT(events, 10'000u);
  EXPECT_GT(crashes, 20u);
  EXPECT_GT(walks, 20u);
  EXPECT_GT(lost, 20u);
}

TEST(SchedulerSimulation, TheSameInputsGiveTheSameActionsByteForByte) {
  const SimulationOptions options{.seed = 7, .record = true};
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
