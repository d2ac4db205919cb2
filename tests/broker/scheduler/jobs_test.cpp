// How events become jobs and jobs move cursors.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

TEST(Scheduler, RunsTheEventsAfterTheCursorAndMovesItWhenTheySucceed) {
  World w;
  w.host(1);

  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 1);
  EXPECT_EQ(job.events.count, 3u);
  EXPECT_EQ(job.hash, "hash");
  EXPECT_EQ(job.job, (JobId{1} << 40) + 1);
  w.saved(w.only<SaveCursor>());

  w.status(1, all_done(job));
  const auto save = w.only<SaveCursor>();
  EXPECT_EQ(save.info.topologies[0].lambdas[0].cursor, 3);
  EXPECT_FALSE(save.behind);
}

TEST(Scheduler, PassesOverEventsBelowTheStart) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].start = 3;
  World w(plan);
  w.host(1);

  w.request(7, 4, run_of(1, 4));

  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 3);
}

TEST(Scheduler, KeepsAtMostOneJobOfASubjectInAStrictTopology) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].batch_events = 2;
  World w(plan);
  w.host(1);

  w.request(7, 6, run_of(1, 6));
  const auto first = w.only<IssueJob>();
  w.request(7, 6, run_of(3, 6));
  EXPECT_EQ(w.count<IssueJob>(), 0u);

  w.status(1, all_done(first));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 3);  // from the rest of the same block
}

TEST(Scheduler, CutsTheJobsOfEachTopologyByItsOwnBatchFromOneBlock) {
  SchedulerPlan plan;
  add_topology(plan, "by_events").batch_events = 2;
  add_topology(plan, "by_bytes").batch_bytes = 35;
  add_topology(plan, "whole");
  World w(plan);
  w.host(1, 64, 3);

  w.request(7, 5, run_of(1, 5, 10));

  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(jobs[0].events.count, 2u);
  EXPECT_EQ(jobs[1].events.count, 3u);
  EXPECT_EQ(jobs[2].events.count, 5u);
}

TEST(SchedulerPlan, TakesModeBatchAndEarlierTopologiesFromTheConfig) {
  Config config;
  config.domains.resize(1);
  config.topologies.push_back(
      {.name = "first", .mode = Mode::pipelined, .batch_events = 3, .batch_bytes = 99});
  config.topologies.push_back({.name = "then", .after = {0}});

  const SchedulerPlan plan = make_plan(config);

  EXPECT_EQ(plan.topologies[0].mode, Mode::pipelined);
  EXPECT_EQ(plan.topologies[0].batch_events, 3u);
  EXPECT_EQ(plan.topologies[0].batch_bytes, 99u);
  EXPECT_EQ(plan.topologies[1].mode, Mode::strict);
  EXPECT_EQ(plan.topologies[1].after, (std::vector<TopologyIndex>{0}));
}

TEST(Scheduler, CutsAJobByBytesButTakesAtLeastOneEvent) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].batch_bytes = 25;
  World w(plan);
  w.host(1);

  w.request(7, 4, run_of(1, 4, 10));
  EXPECT_EQ(w.only<IssueJob>().events.count, 2u);
  w.request(8, 4, run_of(1, 4, 100));
  EXPECT_EQ(w.only<IssueJob>().events.count, 1u);
}

TEST(Scheduler, MovesACursorOverAProvenGapWithoutAJob) {
  World w;
  w.host(1);

  w.request(7, 9, block(1, 9, {}));

  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  EXPECT_EQ(w.only<SaveCursor>().info.topologies[0].lambdas[0].cursor, 9);
}

TEST(Scheduler, MovesToTheProvenEndWhenTheLastEventOfTheBlockIsDone) {
  World w;
  w.host(1);

  w.request(7, 9, block(1, 9, {2, 4}));
  w.status(1, all_done(w.only<IssueJob>()));

  EXPECT_EQ(w.cursor(7), 9);
}

TEST(Scheduler, ProvesNothingAboveLatest) {
  World w;
  w.host(1);

  w.request(7, 5, block(1, 100, {}));

  EXPECT_EQ(w.cursor(7), 5);
}

TEST(Scheduler, TakesAnIntervalOnlyIfItContainsTheNextSequence) {
  World w;
  w.host(1);

  w.request(7, 20, run_of(11, 20), stored_at(20, 5));

  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.cursor(7), 5);
  EXPECT_EQ(w.count<PingAgain>(), 1u);  // what it needs was not in the answer
}

TEST(Scheduler, AsksForMoreAtMostOnceUntilTheNextRequest) {
  World w;
  w.host(1);

  w.request(7, 20, run_of(1, 10));
  EXPECT_EQ(w.count<PingAgain>(), 1u);  // reads on while the job runs
  const auto job = w.only<IssueJob>();
  w.status(1, all_done(job));
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  w.request(7, 20, run_of(11, 20));
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  EXPECT_EQ(w.only<IssueJob>().events.last_sequence(), 20);
}

TEST(Scheduler, KeepsOneBlockReadAheadSoThatABusySubjectDoesNotStall) {
  World w;
  w.host(1);

  w.request(7, 30, run_of(1, 10));
  const auto first = w.only<IssueJob>();
  w.request(7, 30, run_of(11, 20));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.scheduler.positions(7, 0, nullptr)[0].position, 20);
  EXPECT_FALSE(w.scheduler.positions(7, 0, nullptr)[0].can_run);

  w.status(1, all_done(first));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 11);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
}

TEST(Scheduler, AProvenGapBehindARunningJobIsPassedWithIt) {
  World w;
  w.host(1);

  w.request(7, 30, run_of(1, 10));
  const auto job = w.only<IssueJob>();
  w.request(7, 30, block(11, 30, {}));
  w.status(1, all_done(job));

  EXPECT_EQ(w.cursor(7), 30);
}

TEST(Scheduler, DropsAnAnswerOvertakenByNewerWork) {
  World w;
  w.host(1);
  w.request(7, 10, run_of(1, 10));
  w.status(1, all_done(w.only<IssueJob>()));

  w.request(7, 10, run_of(1, 10));

  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.cursor(7), 10);
}

TEST(Scheduler, RunsTwoTopologiesOfADomainEachWithItsOwnCursor) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "index");
  World w(plan);
  w.host(1, 64, 2);

  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 2u);
  w.status(1, all_done(jobs[1]));

  EXPECT_EQ(w.cursor(7, 0), 0);
  EXPECT_EQ(w.cursor(7, 1), 3);
}

TEST(Scheduler, ATopologysCursorIsTheLowestOfItsLambdas) {
  SchedulerPlan plan;
  add_topology(plan, "audit", {"a", "b"});
  World w(plan);
  w.host(1, 64, 2);

  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 2u);
  w.status(1, all_done(jobs[0]));
  EXPECT_EQ(w.cursor(7), 0);
  w.status(1, failed_at(jobs[1], 2, OutcomeKind::retry));
  EXPECT_EQ(w.cursor(7), 1);
  EXPECT_EQ(w.state(7), SubjectState::backing_off);
}

TEST(Scheduler, GivesThePositionOfEachLambdaSoThatNoneStarves) {
  SchedulerPlan plan;
  add_topology(plan, "audit", {"a", "b"});
  World w(plan);
  const storage::CursorInfo stored{
      .latest = 900,
      .topologies = {
          {.topology = "audit", .lambdas = {{.lambda = "a", .cursor = 10}, {.lambda = "b", .cursor = 500}}}}};

  const auto positions = w.scheduler.positions(7, 0, &stored);

  ASSERT_EQ(positions.size(), 2u);
  EXPECT_EQ(positions[0].position, 10);
  EXPECT_EQ(positions[1].position, 500);
  EXPECT_TRUE(positions[0].can_run && positions[1].can_run);
}

TEST(Scheduler, ATopologyNeverSeesAnEventBeforeTheOnesItComesAfter) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "index").after = {0};
  World w(plan);
  w.host(1, 64, 2);

  w.request(7, 6, run_of(1, 6));
  const auto first = w.only<IssueJob>();
  EXPECT_EQ(first.lambda, 0u);
  EXPECT_EQ(w.state(7, 1), SubjectState::waiting);
  EXPECT_FALSE(w.scheduler.positions(7, 0, nullptr)[1].can_run);

  w.status(1, failed_at(first, 4, OutcomeKind::retry));
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.request(7, 6, run_of(1, 6));
  const auto second = w.only<IssueJob>();
  EXPECT_EQ(second.lambda, 1u);
  EXPECT_EQ(second.events.last_sequence(), 3);
}

TEST(Scheduler, ASourceThatKeepsBackWhatItTellsOfDoesNotMakeUsSpin) {
  World w;
  w.host(1);
  int pings = 0;
  const std::int64_t begin = w.now.boot_ns;

  w.request(7, 5, nothing());
  while (w.now.boot_ns < begin + 10 * second) {
    if (w.count<PingAgain>() > 0) {
      ++pings;
      w.request(7, 5, nothing());
    } else if (w.scheduler.next_deadline() && *w.scheduler.next_deadline() < begin + 10 * second) {
      w.step({Heartbeat{1, {}}});
      if (w.count<PingAgain>() == 0) w.to_deadline();
    } else {
      break;
    }
  }
  EXPECT_GT(pings, 8);
  EXPECT_LT(pings, 40);

  w.advance(second);
  w.step({Heartbeat{1, {}}});
  w.request(7, 5, run_of(1, 5));
  EXPECT_EQ(w.count<IssueJob>(), 1u);  // what comes in the end is taken at once
}

}  // namespace
}  // namespace cape::scheduler
