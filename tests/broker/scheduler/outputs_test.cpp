// Outputs that wait for dependants are bounded: of a subject, and in all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/dag.hpp"

namespace cape::scheduler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// One event a job; the outputs of a subject may come to 8 KiB, those of one job to 1 KiB.
SchedulerPlan pair(std::uint64_t in_all = 1u << 20) {
  SchedulerPlan plan = dag_plan({{"up", {}}, {"down", {0}}});
  plan.topologies[0].batch_events = 1;
  plan.topologies[0].outputs_bytes_max = 8 << 10;
  plan.outputs_bytes_max = in_all;
  return plan;
}

TEST(SchedulerOutputs, LambdaIsNotIssuedFurtherWhileItsOutputsWaitAndGoesOnWhenTheyDoNot) {
  Dag w(pair());
  w.begin();
  w.read(7, 20);
  std::size_t given = 0;
  for (; w.find("up") != nullptr; ++given) w.done("up", 7, 1000);
  ASSERT_NE(w.find("down"), nullptr);
  EXPECT_GE(given, 6u);
  EXPECT_LE(given, 8u);
  EXPECT_LE(w.scheduler.counters().outputs_bytes, 9u << 10);

  EXPECT_THAT(texts(w.done("down").inputs.at(0).outputs).at(0), HasSubstr("up1."));

  ASSERT_NE(w.find("up"), nullptr);
  EXPECT_EQ(w.find("up")->events.first_sequence(), static_cast<Sequence>(given) + 1);
  while (!w.jobs.empty()) w.done(w.find("down") ? "down" : "up", 7, 1000);
  EXPECT_EQ(w.view().state, SubjectState::done);
  EXPECT_EQ(w.view().cursor, 20);
  EXPECT_EQ(w.scheduler.counters().outputs_bytes, 0u);
}

TEST(SchedulerOutputs, SubjectThatFindsNoRoomWaitsForOneThatIsAtWork) {
  Dag w(pair(1 << 10));  // one subject at a time
  w.begin();
  w.read(7, 1);
  w.read(8, 1);

  EXPECT_EQ(w.find("up", 8), nullptr);
  const Why why = w.why(8);
  EXPECT_EQ(why.cause, Cause::outputs_full);
  EXPECT_EQ(why.lambda, 0u);
  EXPECT_THAT(why.detail, HasSubstr("outputs_bytes_max"));
  w.done("up", 7);
  EXPECT_EQ(w.find("up", 8), nullptr) << "subject 7's output still waits";

  w.done("down", 7);

  w.done("up", 8);
  w.done("down", 8);
  EXPECT_EQ(w.view(8).state, SubjectState::done);
  EXPECT_EQ(w.scheduler.counters().outputs_dropped, 0u);
}

TEST(SchedulerOutputs, SubjectThatBacksOffLosesItsOwnToOneThatCanRun) {
  Dag w(pair(1 << 10));
  w.begin();
  w.read(7, 1);
  w.done("up", 7);
  w.fails("down", 1, OutcomeKind::retry, 7);
  EXPECT_GT(w.scheduler.counters().outputs_bytes, 0u) << "kept while there is room";

  w.read(8, 1);

  w.done("up", 8);
  EXPECT_EQ(w.scheduler.counters().outputs_dropped, 1u);
  w.done("down", 8);
  EXPECT_EQ(w.stored_cursor(0, 7), 1);

  w.wait(2 * second);
  const IssueJob again = w.done("up", 7);
  EXPECT_EQ(again.events.first_sequence(), 1);
  EXPECT_TRUE(again.may_repeat);
  EXPECT_THAT(texts(w.done("down", 7).inputs.at(0).outputs), ElementsAre("up1"));
  EXPECT_EQ(w.view(7).state, SubjectState::done);
}

TEST(SchedulerOutputs, TwoLambdasThatAThirdNeedsNeverWaitForEachOthersRoom) {
  SchedulerPlan plan = dag_plan({{"left", {}}, {"right", {}}, {"join", {0, 1}}});
  plan.topologies[0].batch_events = 1;
  plan.topologies[0].outputs_bytes_max = 8 << 10;
  plan.outputs_bytes_max = 2 << 10;
  Dag w(plan);
  w.begin(1);  // so that each lambda begins with another subject
  for (SubjectId subject = 1; subject <= 6; ++subject) w.read(subject, 3);

  for (int rounds = 0; !w.jobs.empty(); ++rounds) {
    ASSERT_LT(rounds, 200);
    const IssueJob job = rounds % 2 == 0 ? w.jobs.front() : w.jobs.back();
    w.done(w.names[job.lambda], job.subject);
    EXPECT_LE(w.scheduler.counters().outputs_bytes, 2u << 10);
  }

  for (SubjectId subject = 1; subject <= 6; ++subject)
    EXPECT_EQ(w.view(subject).cursor, 3) << "subject " << subject << ": " << name_of(w.why(subject).cause);
}

TEST(SchedulerOutputs, SubjectThatLeavesMemoryTakesThemAlong) {
  Dag w(pair());
  w.begin();
  w.read(7, 2);
  w.done("up");
  w.done("up");
  w.fails("down", 1, OutcomeKind::failed);

  EXPECT_FALSE(w.scheduler.holds(7));
  EXPECT_EQ(w.scheduler.counters().outputs_bytes, 0u);
}

TEST(SchedulerOutputs, LostHostGivesBackWhatItsJobsCouldHaveBrought) {
  Dag w(pair());
  w.begin();
  w.read(7, 1);
  EXPECT_GT(w.scheduler.counters().outputs_bytes, 0u);

  w.go({HostGone{.host = 1}});

  EXPECT_EQ(w.scheduler.counters().outputs_bytes, 0u);
}

}  // namespace
}  // namespace cape::scheduler
