// Saving, leaving memory, coming back from the store.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using storage::LambdaCursor;

const LambdaCursor& lambda_of(const SaveCursor& save) { return save.info.topologies.at(0).lambdas.at(0); }

TEST(SchedulerRecords, KeepsOneSaveOutAndFoldsWhatHappensMeanwhileIntoTheNext) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].batch_events = 1;
  World w(plan);
  w.host(1);

  w.request(7, 3, run_of(1, 3));
  const auto first = w.only<SaveCursor>();
  for (int i = 0; i < 3; ++i) {
    w.status(1, all_done(i == 0 ? all_of<IssueJob>(w.last).at(0) : w.only<IssueJob>()));
    EXPECT_EQ(w.count<SaveCursor>(), 0u);
  }
  w.saved(first);
  const auto second = w.only<SaveCursor>();
  EXPECT_GT(second.version, first.version);
  EXPECT_EQ(lambda_of(second).cursor, 3);
}

TEST(SchedulerRecords, ASubjectLeavesWhenItsLastSaveIsConfirmed) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.saved(w.only<SaveCursor>());
  EXPECT_TRUE(w.scheduler.holds(7));
  w.status(1, all_done(job));
  EXPECT_TRUE(w.scheduler.holds(7));

  w.saved(w.only<SaveCursor>());

  EXPECT_FALSE(w.scheduler.holds(7));
  EXPECT_EQ(w.scheduler.let_go(), std::vector<SubjectId>{7});
  w.step({Tick{}});
  EXPECT_TRUE(w.scheduler.let_go().empty());
}

TEST(SchedulerRecords, ARequestInTheSameStepAsTheConfirmationFindsTheSubjectStillHeld) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.saved(w.only<SaveCursor>());
  w.status(1, all_done(job));
  const auto save = w.only<SaveCursor>();

  // Whoever built the request saw the subject held, so it carries no record.
  w.step({CursorSaved{7, save.version}, World::make_request(7, 4, run_of(4, 4))});

  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 4);
}

TEST(SchedulerRecords, AReadThatFindsNothingNewSavesNothing) {
  World w;
  w.host(1);

  w.request(7, 3, nothing(), stored_at(3, 3));
  EXPECT_TRUE(w.last.empty());
  EXPECT_FALSE(w.scheduler.holds(7));
  w.request(8, 0, nothing());  // no record, no events
  EXPECT_TRUE(w.last.empty());
  EXPECT_FALSE(w.scheduler.holds(8));
}

TEST(SchedulerRecords, AnAcknowledgedPingIsClearedEvenWhenNothingIsNew) {
  World w;
  SchedulingRequest request = World::make_request(7, 3, nothing(), stored_at(3, 3));
  request.inbox_generation = 5;

  w.step({request});
  const auto save = w.only<SaveCursor>();
  EXPECT_EQ(save.inbox_generation, 5u);
  w.saved(save);
  EXPECT_FALSE(w.scheduler.holds(7));
}

TEST(SchedulerRecords, AnInboxGenerationOfAFailedSaveIsClearedByTheNext) {
  World w;
  SchedulingRequest request = World::make_request(7, 3, nothing(), stored_at(3, 3));
  request.inbox_generation = 5;
  w.step({request});
  const auto save = w.only<SaveCursor>();

  w.step({CursorSaveFailed{7, save.version}});
  EXPECT_EQ(w.count<SaveCursor>(), 0u);
  ASSERT_TRUE(w.to_deadline());  // a Tick comes by itself

  EXPECT_EQ(w.only<SaveCursor>().inbox_generation, 5u);
  EXPECT_GT(w.only<SaveCursor>().version, save.version);
}

TEST(SchedulerRecords, AConfirmationOfAnOlderSaveConfirmsNothing) {
  World w;
  w.request(7, 3, nothing(), stored_at(3, 3));
  w.request(8, 3, run_of(1, 3));
  const auto save = w.only<SaveCursor>();

  w.step({CursorSaved{8, save.version - 1}, CursorSaved{8, save.version + 1}, CursorSaveFailed{8, 99}, CursorSaved{9, 1}});

  EXPECT_TRUE(w.last.empty());
}

TEST(SchedulerRecords, ARestartWaitsForTheStoredTimeOfTheNextTry) {
  World before;
  before.host(1);
  before.request(7, 3, run_of(1, 3));
  const auto first_save = before.only<SaveCursor>();
  before.status(1, failed_at(before.only<IssueJob>(), 2, OutcomeKind::retry));
  const auto due_ns = before.only<Notice>().next_try_ns;
  const auto boot_to_wall = before.now.wall_ns - before.now.boot_ns;
  before.saved(first_save);
  const auto save = before.only<SaveCursor>();
  EXPECT_EQ(lambda_of(save).next_try_wall_ns, due_ns + boot_to_wall);

  World after(one_topology(), 2);
  after.host(1);
  EXPECT_FALSE(after.scheduler.positions(7, 0, &save.info)[0].can_run);
  after.request(7, 3, run_of(2, 3), save.info);
  EXPECT_EQ(after.count<IssueJob>(), 0u);
  EXPECT_EQ(after.state(7), SubjectState::backing_off);
  EXPECT_EQ(after.scheduler.next_deadline(), due_ns);
  after.to_deadline();
  after.request(7, 3, run_of(2, 3));

  EXPECT_EQ(after.only<IssueJob>().attempt, 1u);
  EXPECT_EQ(after.only<IssueJob>().job, (JobId{2} << 40) + 1);
}

TEST(SchedulerRecords, AStoredTimeFarAwayIsBoundByTheLongestBackoff) {
  World w;
  w.host(1);
  storage::CursorInfo stored = stored_at(3, 1);
  LambdaCursor& at = stored.topologies[0].lambdas[0];
  at.attempts = 4;
  at.failed_sequence = 2;
  at.next_try_wall_ns = w.now.wall_ns + 1'000'000 * second;

  w.request(7, 3, run_of(2, 3), stored);

  EXPECT_EQ(*w.scheduler.next_deadline() - w.now.boot_ns, std::min(12 * second + 1, 300 * second));
  for (int i = 0; i < 60; ++i) {
    w.advance(5 * second);
    w.step({Heartbeat{1, {}}});
  }
  EXPECT_EQ(w.count<PingAgain>(), 1u);
}

TEST(SchedulerRecords, AfterARestartEventsThatExistedMayRepeatAndLaterOnesNot) {
  World w(one_topology(), 2);
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  EXPECT_TRUE(job.may_repeat);
  const auto first_save = w.only<SaveCursor>();
  w.status(1, all_done(job));
  w.saved(first_save);
  const auto save = w.only<SaveCursor>();
  w.saved(save);
  ASSERT_FALSE(w.scheduler.holds(7));

  w.request(7, 4, run_of(4, 4), save.info);

  EXPECT_FALSE(w.only<IssueJob>().may_repeat);
}

TEST(SchedulerRecords, KeepsTopologiesAndLambdasThePlanDoesNotKnow) {
  World w;
  w.host(1);
  storage::CursorInfo stored = stored_at(3, 2);
  stored.topologies[0].lambdas.push_back({.lambda = "old", .cursor = 1, .attempts = 2, .parked = true, .reason = "r"});
  stored.topologies.push_back({.topology = "gone", .lambdas = {{.lambda = "x", .cursor = 3}}});

  w.request(7, 4, run_of(3, 4), stored);
  const auto save = w.only<SaveCursor>();

  ASSERT_EQ(save.info.topologies.size(), 2u);
  EXPECT_EQ(save.info.topologies[0].lambdas.at(1), stored.topologies[0].lambdas[1]);
  EXPECT_EQ(save.info.topologies[1], stored.topologies[1]);
  EXPECT_EQ(w.cursor(7), 2);
}

TEST(SchedulerRecords, ALambdaAddedLaterBeginsAtItsTopologysCursor) {
  SchedulerPlan plan;
  add_topology(plan, "audit", {"run", "added"});
  add_topology(plan, "new_topology");
  World w(plan);
  w.host(1, 64, 3);

  w.request(7, 9, run_of(6, 9), stored_at(9, 5));

  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[1].lambda, 1u);
  EXPECT_EQ(jobs[1].events.first_sequence(), 6);
  EXPECT_EQ(w.cursor(7, 1), 0);  // the new topology begins at the beginning
}

TEST(SchedulerRecords, LatestOnlyRises) {
  World w;
  w.request(7, 5, nothing());
  w.request(7, 3, nothing());

  EXPECT_EQ(w.scheduler.view(7, 0, nullptr).latest, 5);
}

TEST(SchedulerRecords, ASourceThatWentBackParksTheSubjectInEveryTopology) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "index");
  World w(plan);
  storage::CursorInfo stored = stored_at(9, 9);
  stored.topologies.push_back({.topology = "index", .lambdas = {{.lambda = "run", .cursor = 2}}});

  w.request(7, 5, run_of(3, 5), stored);

  EXPECT_EQ(notices(w.last, Notice::Kind::source_went_back).size(), 2u);
  const auto save = w.only<SaveCursor>();
  for (const auto& topology : save.info.topologies) {
    EXPECT_TRUE(topology.lambdas[0].parked);
    EXPECT_TRUE(topology.lambdas[0].reason.starts_with("source_went_back: ")) << topology.lambdas[0].reason;
  }
  EXPECT_TRUE(save.behind);
  EXPECT_EQ(save.info.latest, 9);
  w.saved(save);
  w.request(7, 5, run_of(3, 5), save.info);
  EXPECT_TRUE(w.last.empty());  // said once
}

TEST(SchedulerRecords, ACursorThatIsNotSavedYetProvesNoGoingBack) {
  World w;
  w.host(1);
  w.request(7, 9, run_of(1, 9));
  const auto first_save = w.only<SaveCursor>();
  w.status(1, all_done(w.only<IssueJob>()));

  w.request(7, 5, nothing());
  EXPECT_EQ(w.state(7), SubjectState::done);

  w.saved(first_save);
  w.saved(w.only<SaveCursor>());
  w.request(7, 5, nothing(), stored_at(9, 9));
  EXPECT_EQ(notices(w.last, Notice::Kind::source_went_back).size(), 1u);
}

TEST(SchedulerRecords, AStartPositionAboveLatestIsNoGoingBack) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].start = 1000;
  World w(plan);
  w.request(7, 9, nothing());
  const auto save = w.only<SaveCursor>();
  EXPECT_FALSE(save.behind);
  w.saved(save);

  w.request(7, 9, nothing(), save.info);

  EXPECT_TRUE(w.last.empty());
}

TEST(SchedulerRecords, AJobThatWasRunningWhenTheSourceWentBackStillCounts) {
  World w;
  w.host(1);
  w.request(7, 9, run_of(7, 9), stored_at(6, 6));
  const auto job = w.only<IssueJob>();

  w.request(7, 3, nothing());
  EXPECT_EQ(w.state(7), SubjectState::parked);
  w.status(1, all_done(job));

  EXPECT_EQ(w.cursor(7), 9);
  EXPECT_EQ(w.state(7), SubjectState::parked);
}

TEST(SchedulerRecords, ASubjectItsSourceDoesNotKnowStopsAndLeaves) {
  World w;
  w.host(1);
  w.request(7, 20, run_of(1, 10));
  const auto job = w.only<IssueJob>();
  w.saved(w.only<SaveCursor>());
  w.status(1, all_done(job));
  SchedulingRequest gone = World::make_request(7, 0, nothing());
  gone.gone = true;

  w.saved(w.only<SaveCursor>());
  EXPECT_TRUE(w.scheduler.holds(7));  // a ping is out
  w.step({gone});

  EXPECT_TRUE(w.last.empty());
  EXPECT_FALSE(w.scheduler.holds(7));
}

TEST(SchedulerRecords, WaitsForTheLastAnswerOfAReadBeforeAskingAgain) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "index");
  World w(plan);
  w.host(1, 64, 2);
  storage::CursorInfo stored = stored_at(1000, 10);
  stored.topologies.push_back({.topology = "index", .lambdas = {{.lambda = "run", .cursor = 900}}});
  SchedulingRequest first = World::make_request(7, 1000, run_of(11, 20), stored);
  first.last = false;

  w.step({first});
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  w.request(7, 1000, run_of(901, 910));
  EXPECT_EQ(w.only<IssueJob>().lambda, 1u);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
}

}  // namespace
}  // namespace cape::scheduler
