// Events that the source has and that fit no answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::HasSubstr;

SchedulerPlan two_topologies() {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "index");
  return plan;
}

// The answer to a query from `start`: nothing up to `sequence`, which is too large.
SchedulingRequest unreadable(Sequence start, Sequence sequence,
                             std::optional<storage::CursorInfo> stored = {}) {
  SchedulingRequest request =
      World::make_request(7, sequence, block(start, sequence - 1, {}), std::move(stored));
  request.unreadable = fmt::format("event {} has 2000 bytes of payload, the limit is 1000", sequence);
  return request;
}

TEST(SchedulerUnreadable, ParksTheSubjectInEachTopologyThatHasComeSoFarAndSaysItOnce) {
  World w(two_topologies());
  w.host(1, 64, 2);

  w.step({unreadable(1, 6)});

  EXPECT_EQ(notices(w.last, Notice::Kind::unreadable).size(), 2u);
  for (std::size_t topology : {0u, 1u}) {
    EXPECT_EQ(w.state(7, topology), SubjectState::parked);
    EXPECT_EQ(w.cursor(7, topology), 5) << "what lies before it is proven empty";
    EXPECT_THAT(w.scheduler.view(7, 0, nullptr).topologies[topology].reason,
                HasSubstr("event 6 has 2000 bytes of payload, the limit is 1000"));
  }
  const auto save = w.only<SaveCursor>();
  EXPECT_TRUE(save.behind);
  EXPECT_TRUE(save.info.topologies.at(0).lambdas.at(0).parked);
  EXPECT_EQ(w.count<PingAgain>(), 0u);

  w.saved(save);
  w.step({unreadable(1, 6, save.info)});

  EXPECT_EQ(w.count<Notice>(), 0u);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  for (const auto& at : w.scheduler.positions(7, 0, &save.info)) EXPECT_FALSE(at.can_run);
}

TEST(SchedulerUnreadable, LeavesATopologyAloneThatHasNotComeSoFar) {
  World w(two_topologies());
  w.host(1, 64, 2);
  const storage::CursorInfo stored{
      .latest = 6,
      .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 5}}},
                     {.topology = "index", .lambdas = {{.lambda = "run", .cursor = 2}}}}};

  w.step({unreadable(6, 6, stored)});

  EXPECT_EQ(w.state(7, 0), SubjectState::parked);
  EXPECT_EQ(w.state(7, 1), SubjectState::ready);
  EXPECT_EQ(w.count<PingAgain>(), 1u) << "and reads on for it";
}

TEST(SchedulerUnreadable, DoesNotTakeItForASourceThatWentBack) {
  World w(two_topologies());
  w.host(1, 64, 2);
  const storage::CursorInfo stored{
      .latest = 50,
      .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 5}}},
                     {.topology = "index", .lambdas = {{.lambda = "run", .cursor = 50}}}}};

  w.step({unreadable(6, 6, stored)});

  EXPECT_EQ(w.state(7, 0), SubjectState::parked);
  EXPECT_EQ(w.state(7, 1), SubjectState::done);
  EXPECT_TRUE(notices(w.last, Notice::Kind::source_went_back).empty());
}

TEST(SchedulerUnreadable, WaitsForTheJobBeforeIt) {
  World w;
  w.host(1);
  w.request(7, 6, run_of(1, 5));
  const auto job = w.only<IssueJob>();

  w.step({unreadable(6, 6)});
  EXPECT_EQ(w.state(7), SubjectState::in_flight);
  w.status(1, failed_at(job, 3, OutcomeKind::retry));
  EXPECT_EQ(w.state(7), SubjectState::backing_off) << "its own trouble first";
  ASSERT_TRUE(w.to_deadline());
  w.request(7, 6, run_of(3, 5));
  w.status(1, all_done(w.only<IssueJob>()));
  w.step({unreadable(6, 6)});

  EXPECT_EQ(w.state(7), SubjectState::parked);
  EXPECT_EQ(w.cursor(7), 5);
}

}  // namespace
}  // namespace cape::scheduler
