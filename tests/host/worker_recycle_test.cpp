// A child that has too much in memory is replaced, between two events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/host/worker_bench.hpp"

namespace cape::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t limit_bytes = 100u << 20;

class Recycle : public ::testing::Test {
 protected:
  static host::WorkerPlan plan() {
    host::WorkerLambda lambda = WorkerBench::lambda_of(1);
    lambda.recycle_bytes = limit_bytes;
    return WorkerBench::plan_of(lambda);
  }

  WorkerBench bench_{plan()};
};

TEST_F(Recycle, ChildAtItsLimitStays) {
  bench_.open_with_child();

  EXPECT_THAT(bench_.step(host::ChildUsed{1, limit_bytes}), IsEmpty());
}

TEST_F(Recycle, ChildOverItsLimitIsStoppedAfterTheEventThatRunsAndAnotherGoesOn) {
  bench_.open_with_child();
  bench_.step(host::ChildUsed{1, 10u << 20});
  bench_.step(bench_.job(2), bench_.job(3));

  EXPECT_THAT(bench_.step(host::ChildUsed{1, limit_bytes + 1}), ElementsAre("take back 1", "stop 1"));
  EXPECT_THAT(bench_.step(bench_.done(1, 2), bench_.gave_back(1, 3)),
              ElementsAre("status 2 OK done to 1 (1)"));
  EXPECT_THAT(bench_.step(bench_.ended(1, OutcomeKind::ok)), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench_.step(bench_.ready(2)), ElementsAre("give 2 <- job 3"));
}

TEST_F(Recycle, SaysWhyOnce) {
  bench_.open_with_child();
  bench_.step(host::ChildUsed{1, 10u << 20});
  std::vector<host::Input> inputs;
  inputs.emplace_back(host::ChildUsed{1, 300u << 20});

  const std::vector<host::Action> actions = bench_.worker.step(bench_.now_ns, inputs);

  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(std::get<host::StopChild>(actions[0]).recycled,
            "it has 300 MiB in memory, more than limits.recycle, 100 MiB");
  EXPECT_THAT(bench_.step(host::ChildUsed{1, 400u << 20}), IsEmpty());
}

// The next one would be as large: it would never come to work.
TEST_F(Recycle, ChildThatWasThatLargeFromItsStartIsReplacedOnlyOnceItHasGrown) {
  bench_.open_with_child();

  EXPECT_THAT(bench_.step(host::ChildUsed{1, 3 * limit_bytes}), IsEmpty());
  EXPECT_THAT(bench_.step(host::ChildUsed{1, 3 * limit_bytes + (1u << 20)}), IsEmpty());
  EXPECT_THAT(bench_.step(host::ChildUsed{1, 3 * limit_bytes + (13u << 20)}), ElementsAre("stop 1"));
}

// What it holds on to would make the next event fail as well.
TEST_F(Recycle, ChildInWhichAnEventFoundNoMemoryIsReplaced) {
  bench_.open_with_child();
  bench_.step(bench_.job(2));

  EXPECT_THAT(bench_.step(bench_.failed(1, 2, OutcomeKind::no_memory)), Contains("stop 1"));
}

TEST_F(Recycle, ChildThatHasEndedIsNobodys) {
  bench_.open_with_child();
  bench_.step(bench_.ended(1, OutcomeKind::ok));

  EXPECT_THAT(bench_.step(host::ChildUsed{1, limit_bytes + 1}), IsEmpty());
}

}  // namespace
}  // namespace cape::test
