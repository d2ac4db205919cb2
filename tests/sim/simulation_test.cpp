#include "tests/sim/simulation.hpp"

#include <gtest/gtest.h>

#include "broker/scheduler/trace.hpp"

namespace cape::scheduler {
namespace {

// ctest runs the ranges side by side.
class Seeds : public testing::TestWithParam<std::uint64_t> {};
constexpr std::uint64_t seeds_each = 150;
INSTANTIATE_TEST_SUITE_P(From, Seeds, testing::Values(1, 151, 301, 451),
                         [](const auto& at) { return std::to_string(at.param); });

TEST_P(Seeds, HoldEveryPromiseThroughFailuresCrashesAndLies) {
  Met met;

  for (std::uint64_t seed = GetParam(); seed < GetParam() + seeds_each; ++seed) {
    Simulation simulation(options_for(seed));
    simulation.run();
    for (const Violation& violation : simulation.violations())
      ADD_FAILURE() << to_text(simulation.options()) << "\n"
                    << name_of(violation.promise) << ": " << violation.what
                    << "\nrepeat with: ./run sim --seed " << seed << " --trace";
    met.add(simulation.met());
    if (HasFailure()) return;
  }

  // They did meet what they are there to meet.
  for (const std::uint64_t count : met.of_each()) EXPECT_GT(count, 20u) << to_text(met);
}

class Replay : public testing::TestWithParam<PlanShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Replay,
                         testing::Values(PlanShape::strict, PlanShape::pipelined, PlanShape::chain,
                                         PlanShape::join, PlanShape::needs));

// Several seeds, so that the broker dies in some of them whatever becomes of a single one.
TEST_P(Replay, TheSameInputsGiveTheSameActionsByteForByte) {
  std::size_t steps = 0, crashes = 0;

  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Simulation simulation({.seed = seed,
                           .shape = GetParam(),
                           .operators = true,
                           .poison = true,
                           .config_changes = true,
                           .backlog_max = 0});
    std::optional<Scheduler> again;
    std::uint32_t epoch = 0;
    const auto repeat = [&](const Simulation::Step& step) {
      if (step.epoch != epoch) again.emplace(step.plan, epoch = step.epoch);
      ASSERT_EQ(to_text(again->step(step.now, step.inputs)), to_text(step.actions)) << "seed " << seed;
      ++steps;
    };
    simulation.watch(repeat, {});
    simulation.run();
    crashes += epoch - 1;
  }

  EXPECT_GT(steps, 10'000u);
  EXPECT_GT(crashes, 4u);
}

}  // namespace
}  // namespace cape::scheduler
