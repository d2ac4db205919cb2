// What happens where a limit is reached, and that it stays with the one who reached it.
#include <gtest/gtest.h>

#include "broker/scheduler/lambda_queues.hpp"
#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

constexpr std::size_t payload = 10'000;
const std::size_t block_bytes = bytes_of(*run_of(1, 1, payload));

SchedulerPlan small_plan(std::size_t blocks) {
  SchedulerPlan plan = one_topology();
  plan.waiting_bytes_max = blocks * block_bytes;
  return plan;
}

TEST(SchedulerLimits, ASubjectBeyondTheWaitingBoundIsSavedAsBehindAndLeaves) {
  World w(small_plan(2));  // and no host at all

  w.request(1, 1, run_of(1, 1, payload));
  w.request(2, 1, run_of(1, 1, payload));
  w.request(3, 1, run_of(1, 1, payload));
  const auto save = w.only<SaveCursor>();
  EXPECT_TRUE(save.behind);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  w.saved(save);

  EXPECT_FALSE(w.scheduler.holds(3));
  EXPECT_EQ(w.scheduler.let_go(), std::vector<SubjectId>{3});
  EXPECT_TRUE(w.scheduler.holds(1));
  EXPECT_LE(w.scheduler.counters().waiting_bytes, 2 * block_bytes);
  EXPECT_FALSE(w.scheduler.positions(3, 0, nullptr)[0].can_run);
}

TEST(SchedulerLimits, AsksForOneWalkWhenHalfOfTheRoomIsFreeAgain) {
  World w(small_plan(4));
  for (SubjectId subject = 1; subject <= 8; ++subject) {
    w.request(subject, 1, run_of(1, 1, payload));
    w.saved(w.only<SaveCursor>());
  }
  EXPECT_EQ(w.scheduler.counters().subjects_in_memory, 4u);

  w.host(1, 1);
  std::vector<std::size_t> walks{w.count<WalkBehind>()};
  for (int i = 0; i < 3; ++i) {
    const auto job = w.only<IssueJob>();
    w.status(1, all_done(job));
    walks.push_back(w.count<WalkBehind>());
  }

  EXPECT_EQ(walks, (std::vector<std::size_t>{0, 1, 0, 0}));  // 3 wait, 2 wait, 1, 0
}

TEST(SchedulerLimits, ABlockReadAheadThatFindsNoRoomIsNotReadAgainWhileTheJobRuns) {
  World w(small_plan(2));
  w.host(1, 1);
  w.request(1, 2, run_of(1, 1, payload));
  const auto job = w.only<IssueJob>();
  w.request(2, 1, run_of(1, 1, payload / 2));  // waits for credit, and leaves room for half a block ahead

  w.request(1, 2, run_of(2, 2, payload));
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  EXPECT_FALSE(w.scheduler.positions(1, 0, nullptr)[0].can_run);
  w.status(1, all_done(job));

  EXPECT_EQ(w.count<PingAgain>(), 1u);
}

TEST(SchedulerLimits, AsksForAWalkOnlyWhenTheSubjectsLeftBehindAreStored) {
  World w(small_plan(1));
  w.request(1, 1, run_of(1, 1, payload));
  w.request(2, 1, run_of(1, 1, payload));
  const auto save = w.only<SaveCursor>();

  w.host(1);
  EXPECT_EQ(w.count<IssueJob>(), 1u);
  EXPECT_EQ(w.count<WalkBehind>(), 0u);
  w.saved(save);
  EXPECT_EQ(w.count<WalkBehind>(), 1u);
}

TEST(SchedulerLimits, AWalkedSubjectThatFindsNoRoomAgainAsksForTheNextWalk) {
  World w(small_plan(1));
  const storage::CursorInfo stored = stored_at(1, 0);
  w.request(1, 1, run_of(1, 1, payload));
  w.request(2, 1, nothing(), stored);  // the tracker read nothing, since nothing could run
  EXPECT_FALSE(w.scheduler.holds(2));  // already stored as behind: no save is needed
  EXPECT_TRUE(w.last.empty());

  w.host(1);

  EXPECT_EQ(w.count<WalkBehind>(), 1u);
}

TEST(SchedulerLimits, OneLambdasFullQueueStopsNoOther) {
  SchedulerPlan plan = small_plan(1);
  add_topology(plan, "index");
  World w(plan);
  w.step({HostUp{1, "h1"}, Credit{.host = 1, .lambda = 1, .jobs_max = 64, .hash = "hash", .trouble = {}}});

  for (SubjectId subject = 1; subject <= 5; ++subject) {
    w.request(subject, 1, run_of(1, 1, payload));
    EXPECT_EQ(w.only<IssueJob>().lambda, 1u);
    w.status(1, all_done(w.only<IssueJob>()));
    EXPECT_EQ(w.cursor(subject, 1), 1);
  }
}

TEST(SchedulerLimits, ReadingAheadDoesNotKeepOutSubjectsThatCouldRun) {
  World w(small_plan(4));
  w.host(1, 64);
  for (SubjectId subject = 1; subject <= 10; ++subject) {
    w.request(subject, 2, run_of(1, 1, payload));
    ASSERT_EQ(w.count<IssueJob>(), 1u);
    w.request(subject, 2, run_of(2, 2, payload));
  }
  EXPECT_LE(w.scheduler.counters().waiting_bytes, 2 * block_bytes);
}

TEST(SchedulerLimits, SubjectsThatWaitForATimeAreBoundedToo) {
  SchedulerPlan plan = one_topology();
  plan.timers_max = 3;
  plan.lambdas[0].breaker.enabled = false;
  World w(plan);
  w.host(1, 64);
  std::vector<storage::CursorInfo> records;

  for (SubjectId subject = 1; subject <= 8; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    const auto first = w.only<SaveCursor>();
    w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::retry));
    w.saved(first);
    const auto save = w.only<SaveCursor>();
    EXPECT_TRUE(save.behind);
    EXPECT_EQ(save.info.topologies[0].lambdas[0].attempts, 1u);
    records.push_back(save.info);
    w.saved(save);
  }
  EXPECT_EQ(w.scheduler.counters().timers, 3u);
  EXPECT_EQ(w.scheduler.counters().subjects_in_memory, 3u);

  // Back before its time, it waits for the rest of it: there is room again.
  std::size_t walks = 0;
  for (int i = 0; i < 3; ++i) {
    w.to_deadline();
    walks += w.count<WalkBehind>();
    const auto pinged = w.only<PingAgain>().subject;
    w.request(pinged, 1, run_of(1, 1));
    w.status(1, all_done(w.only<IssueJob>()));
  }
  EXPECT_EQ(walks, 1u);
  w.now.wall_ns -= 10 * second;
  w.request(8, 1, run_of(1, 1), records[7]);
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.state(8), SubjectState::backing_off);
}

TEST(SchedulerLimits, ABacklogOfSubjectsIsNotHeldInMemory) {
  World w(small_plan(16));
  std::size_t most = 0;
  for (SubjectId subject = 1; subject <= 20'000; ++subject) {
    w.trace.clear();
    w.request(subject, 1, run_of(1, 1, payload));
    for (const SaveCursor& save : all_of<SaveCursor>(w.last)) w.saved(save);
    most = std::max(most, w.scheduler.counters().subjects_in_memory);
  }
  EXPECT_LE(most, 17u);
}

}  // namespace
}  // namespace cape::scheduler
