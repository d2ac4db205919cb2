#include "broker/failure_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::broker {
namespace {

using scheduler::Notice;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FailureLogTest : public testing::Test {
 protected:
  static scheduler::SchedulerPlan two_lambdas() {
    scheduler::SchedulerPlan plan;
    scheduler::add_topology(plan, "audit", {"write", "index"});
    return plan;
  }
  static Notice failure(LambdaIndex lambda, Notice::Kind kind = Notice::Kind::attempt_failed) {
    return {.kind = kind,
            .lambda = lambda,
            .subject = "user/1\x1b",
            .sequence = 7,
            .attempts = 2,
            .next_try_ns = 1'500 * ns_per_ms,
            .outcome = {OutcomeKind::retry, "the disk is full"}};
  }
  std::size_t lines(LambdaIndex lambda, int events, std::int64_t now_ns) {
    std::size_t shown = 0;
    for (int i = 0; i < events; ++i) shown += log_.line(failure(lambda), now_ns) ? 1 : 0;
    return shown;
  }

  const scheduler::SchedulerPlan plan_ = two_lambdas();
  FailureLog log_{plan_};
};

TEST_F(FailureLogTest, NamesLambdaEventReasonAndWhatFollows) {
  const auto again = log_.line(failure(0), ns_per_s);
  const auto parked = log_.line(failure(1, Notice::Kind::parked), ns_per_s);

  EXPECT_EQ(
      again,
      "audit.write: event 7 of 'user/1\\x1B' failed (attempt 2): RETRY the disk is full; next try in 500 ms");
  EXPECT_THAT(*parked, HasSubstr("parked: it waits for an operator"));
}

TEST_F(FailureLogTest, ALambdaThatFailsEverythingWritesAFewLinesAndThenHowManyMore) {
  std::int64_t now_ns = 10 * ns_per_s;

  EXPECT_EQ(lines(0, 1000, now_ns), std::size_t{FailureLog::burst_lines});
  EXPECT_THAT(log_.held_back(now_ns), ElementsAre(HasSubstr("audit.write: 980 more events failed")));
  now_ns += ns_per_s;
  EXPECT_EQ(lines(0, 1000, now_ns), std::size_t{FailureLog::lines_per_s});
  EXPECT_THAT(log_.held_back(now_ns), ElementsAre(HasSubstr("audit.write: 995 more events failed")));
  EXPECT_THAT(log_.held_back(now_ns + ns_per_s), IsEmpty());
}

TEST_F(FailureLogTest, OneLambdaTakesNoLinesOfAnother) {
  lines(0, 1000, ns_per_s);

  EXPECT_EQ(lines(1, 3, ns_per_s), 3u);
}

}  // namespace
}  // namespace cape::broker
