// Pipelined topologies: further jobs of a subject are issued while one runs.
#include <algorithm>

#include <gtest/gtest.h>

#include "broker/tracker/vicinity.hpp"
#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

SchedulerPlan pipelined(std::uint32_t batch_events) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].mode = Mode::pipelined;
  plan.topologies[0].batch_events = batch_events;
  return plan;
}

std::vector<Sequence> firsts_of(const Actions& actions) {
  std::vector<Sequence> firsts;
  for (const IssueJob& job : all_of<IssueJob>(actions)) firsts.push_back(job.events.first_sequence());
  return firsts;
}
using Sequences = std::vector<Sequence>;

std::vector<Sequence> runnable(const World& w, SubjectId subject) {
  std::vector<Sequence> positions;
  for (const TopologyPosition& at : w.scheduler.positions(subject, 0, nullptr))
    if (at.can_run) positions.push_back(at.position);
  return positions;
}

// T1 at cursor 90 with {91} in flight, T2 at 99; the source has 91, 99, 100.
struct PublishedExample : testing::Test {
  static std::vector<std::string> jobs_with(Mode mode) {
    SchedulerPlan plan;
    add_topology(plan, "t1").mode = mode;
    add_topology(plan, "t2");
    World w(plan);
    w.host(1, 64, 2);
    const storage::CursorInfo stored{
        .latest = 99,
        .topologies = {{.topology = "t1", .lambdas = {{.lambda = "run", .cursor = 90}}},
                       {.topology = "t2", .lambdas = {{.lambda = "run", .cursor = 99}}}}};
    w.request(1, 99, block(91, 91, {91}), stored);
    EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 91);

    const auto queries = tracker::plan_by_vicinity(runnable(w, 1), 100, 10);
    EXPECT_EQ(queries, (std::vector<tracker::PlannedQuery>{{.start = 92, .events_max = 10}}));
    w.request(1, 100, block(92, 100, {99, 100}));
    std::vector<std::string> jobs;
    for (const IssueJob& job : all_of<IssueJob>(w.last))
      jobs.push_back(
          fmt::format("t{} {}..{}", job.lambda + 1, job.events.first_sequence(), job.events.last_sequence()));
    return jobs;
  }
};

TEST_F(PublishedExample, GivesAPipelinedTopologyItsNextJobWhileOneRuns) {
  EXPECT_EQ(jobs_with(Mode::pipelined), (std::vector<std::string>{"t1 99..100", "t2 100..100"}));
}

TEST_F(PublishedExample, GivesAStrictTopologyNoJobWhileOneRuns) {
  EXPECT_EQ(jobs_with(Mode::strict), (std::vector<std::string>{"t2 100..100"}));
}

TEST(SchedulerPipelined, CutsABlockIntoJobsThatRunSideBySide) {
  World w(pipelined(2));
  w.host(1);

  w.request(7, 5, run_of(1, 5));

  EXPECT_EQ(firsts_of(w.last), (Sequences{1, 3, 5}));
  EXPECT_EQ(w.state(7), SubjectState::in_flight);
}

TEST(SchedulerPipelined, MovesTheCursorOverTheFinishedPrefixOnly) {
  World w(pipelined(1));
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  w.saved(w.only<SaveCursor>());

  w.status(1, all_done(jobs[2]));
  EXPECT_EQ(w.cursor(7), 0);
  EXPECT_EQ(w.count<SaveCursor>(), 0u);
  w.status(1, all_done(jobs[0]));
  EXPECT_EQ(w.only<SaveCursor>().info.topologies[0].lambdas[0].cursor, 1);
  w.status(1, all_done(jobs[1]));

  EXPECT_EQ(w.cursor(7), 3);
}

TEST(SchedulerPipelined, RunsAFailedJobInTheMiddleAgainWhileLaterOnesGoOn) {
  World w(pipelined(1));
  w.host(1);
  w.request(7, 4, run_of(1, 4));
  const auto jobs = all_of<IssueJob>(w.last);

  w.status(1, failed_at(jobs[1], 2, OutcomeKind::retry));
  EXPECT_EQ(w.state(7), SubjectState::backing_off);
  for (std::size_t i : {0, 2, 3}) w.status(1, all_done(jobs[i]));
  w.request(7, 5, run_of(5, 5));
  w.status(1, all_done(w.only<IssueJob>()));
  EXPECT_EQ(w.cursor(7), 1);

  w.advance(second);
  w.step({Heartbeat{.host = 1}, Tick{}});
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_EQ(runnable(w, 7), (Sequences{1, 5}));
  w.request(7, 5, run_of(2, 5));
  const auto again = w.only<IssueJob>();
  EXPECT_EQ(again.events.first_sequence(), 2);
  EXPECT_EQ(again.events.count, 1u);  // those behind it are done
  EXPECT_EQ(again.attempt, 1u);
  EXPECT_TRUE(again.may_repeat);
  w.status(1, all_done(again));

  EXPECT_EQ(w.cursor(7), 5);
}

TEST(SchedulerPipelined, StoresTheTroubleOfTheFirstFailedEvent) {
  World w(pipelined(1));
  w.host(1);
  w.request(7, 4, run_of(1, 4));
  const auto jobs = all_of<IssueJob>(w.last);
  w.saved(w.only<SaveCursor>());

  w.status(1, failed_at(jobs[3], 4, OutcomeKind::retry));
  const auto fourth = w.only<SaveCursor>();
  EXPECT_EQ(fourth.info.topologies[0].lambdas[0].failed_sequence, 4);
  w.saved(fourth);
  w.status(1, failed_at(jobs[1], 2, OutcomeKind::retry));

  const auto lambda = w.only<SaveCursor>().info.topologies[0].lambdas[0];
  EXPECT_EQ(lambda.cursor, 0);
  EXPECT_EQ(lambda.failed_sequence, 2);
  EXPECT_EQ(lambda.attempts, 1u);
}

TEST(SchedulerPipelined, IssuesNoMoreJobsOfASubjectThanTheLimit) {
  World w(pipelined(1));
  w.host(1, 1000);
  const auto limit = static_cast<Sequence>(pipelined_jobs_max);

  w.request(7, 3 * limit, run_of(1, 3 * limit));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), pipelined_jobs_max);
  for (const IssueJob& job : jobs) w.status(1, all_done(job));
  EXPECT_EQ(w.scheduler.counters().jobs_in_flight, pipelined_jobs_max);
  EXPECT_EQ(w.cursor(7), limit);
}

TEST(SchedulerPipelined, IssuesNothingBehindTooManyJobsThatFailed) {
  World w(pipelined(1));
  w.host(1, 1000);
  const auto limit = static_cast<Sequence>(pipelined_jobs_max);
  w.request(7, 3 * limit, run_of(1, 3 * limit));

  for (const IssueJob& job : all_of<IssueJob>(w.last)) {
    w.status(1, failed_at(job, job.events.first_sequence(), OutcomeKind::retry));
    EXPECT_EQ(w.count<IssueJob>(), 0u);
  }
  EXPECT_EQ(w.scheduler.counters().jobs_in_flight, 0u);
  EXPECT_EQ(w.scheduler.counters().timers, pipelined_jobs_max);
  w.advance(second);
  w.step({Heartbeat{.host = 1}, Tick{}});
  w.request(7, 3 * limit, run_of(1, limit));

  EXPECT_EQ(w.count<IssueJob>(), pipelined_jobs_max);  // each by itself again
}

TEST(SchedulerPipelined, ReadsNoMoreThanOneBlockAheadOfTheLimit) {
  World w(pipelined(1));
  w.host(1, 1000);
  const auto limit = static_cast<Sequence>(pipelined_jobs_max);
  w.request(7, 100, run_of(1, limit));
  EXPECT_EQ(runnable(w, 7), (Sequences{limit}));

  w.request(7, 100, run_of(limit + 1, limit + 3));

  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  EXPECT_EQ(runnable(w, 7), Sequences{});
}

TEST(SchedulerPipelined, TakesTurnsWithOtherSubjectsForCredit) {
  World w(pipelined(1));
  w.host(1, 1);
  w.request(7, 9, run_of(1, 9));
  auto job = w.only<IssueJob>();
  w.request(8, 9, run_of(1, 9));

  std::vector<SubjectId> order;
  for (int i = 0; i < 4; ++i) {
    w.status(1, all_done(job));
    job = w.only<IssueJob>();
    order.push_back(job.subject);
  }

  EXPECT_EQ(order, (std::vector<SubjectId>{7, 8, 7, 8}));
}

TEST(SchedulerPipelined, BeginsARepeatBehindTheSavedCursorAfterACrash) {
  World w(pipelined(1), 2);
  w.host(1);

  w.request(7, 4, run_of(2, 4), stored_at(4, 1));

  EXPECT_EQ(firsts_of(w.last), (Sequences{2, 3, 4}));
  for (const IssueJob& job : all_of<IssueJob>(w.last)) EXPECT_TRUE(job.may_repeat);
}

TEST(SchedulerPipelined, IssuesNothingBehindAParkedEventAndLetsEarlierOnesEnd) {
  World w(pipelined(1));
  w.host(1, 4);
  w.request(7, 9, run_of(1, 9));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 4u);

  w.status(1, failed_at(jobs[1], 2, OutcomeKind::failed));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.status(1, failed_at(jobs[0], 1, OutcomeKind::retry));
  w.status(1, all_done(jobs[2]));
  w.status(1, all_done(jobs[3]));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.state(7), SubjectState::parked);

  w.advance(second);
  w.step({Heartbeat{.host = 1}, Tick{}});
  w.request(7, 9, run_of(1, 9));
  w.status(1, all_done(w.only<IssueJob>()));

  EXPECT_EQ(w.cursor(7), 1);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
}

TEST(SchedulerPipelined, RunsWhatLiesBeforeAParkedEventAfterARestart) {
  storage::CursorInfo stored = stored_at(9, 1);
  stored.topologies[0].lambdas[0].parked = true;
  stored.topologies[0].lambdas[0].failed_sequence = 4;
  stored.topologies[0].lambdas[0].attempts = 1;
  World w(pipelined(10), 2);
  w.host(1);
  EXPECT_FALSE(w.scheduler.view(7, 0, &stored).topologies[0].stopped);

  w.request(7, 9, run_of(2, 9), stored);
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 2);
  EXPECT_EQ(job.events.last_sequence(), 3);
  w.status(1, all_done(job));

  EXPECT_EQ(w.cursor(7), 3);
  EXPECT_EQ(w.state(7), SubjectState::parked);
  EXPECT_TRUE(w.scheduler.view(7, 0, nullptr).topologies[0].stopped);
  const auto lambda = w.only<SaveCursor>().info.topologies[0].lambdas[0];
  EXPECT_TRUE(lambda.parked);
  EXPECT_EQ(lambda.failed_sequence, 4);
}

TEST(SchedulerPipelined, RunsEveryJobOfALostHostAgain) {
  World w(pipelined(2));
  w.host(1);
  w.request(7, 6, run_of(1, 6));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 3u);
  w.status(1, all_done(jobs[1]));
  w.host(2);

  w.step({HostGone{.host = 1}});
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.request(7, 6, run_of(1, 6));
  EXPECT_EQ(firsts_of(w.last), (Sequences{1, 5}));
  for (const IssueJob& job : all_of<IssueJob>(w.last)) EXPECT_TRUE(job.may_repeat);
  for (const IssueJob& job : all_of<IssueJob>(w.last)) w.status(2, all_done(job));

  EXPECT_EQ(w.cursor(7), 6);
  w.status(1, all_done(jobs[0]));  // too late
  EXPECT_EQ(w.scheduler.counters().stale_statuses, 1u);
}

TEST(SchedulerPipelined, PassesAStretchThatTheSourceHasProvenEmpty) {
  World w(pipelined(1));
  w.host(1);
  w.request(7, 9, block(1, 5, {1, 5}));
  const auto jobs = all_of<IssueJob>(w.last);
  w.status(1, failed_at(jobs[0], 1, OutcomeKind::retry));
  w.status(1, all_done(jobs[1]));
  w.advance(second);
  w.step({Heartbeat{.host = 1}, Tick{}});

  w.request(7, 9, block(1, 9, {5, 9}));  // its event was pruned
  w.status(1, all_done(w.only<IssueJob>()));

  EXPECT_EQ(w.cursor(7), 9);
}

TEST(SchedulerPipelined, IsParkedAsAWholeWhenTheSourceWentBack) {
  World w(pipelined(1));
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  w.saved(w.only<SaveCursor>());
  w.status(1, all_done(jobs[0]));
  const auto first = w.only<SaveCursor>();
  w.status(1, all_done(jobs[1]));
  w.saved(first);
  w.saved(w.only<SaveCursor>());

  w.request(7, 1, run_of(1, 1));
  EXPECT_EQ(w.state(7), SubjectState::parked);
  w.status(1, failed_at(jobs[2], 3, OutcomeKind::retry));

  EXPECT_EQ(w.scheduler.counters().timers, 0u);
  w.request(7, 9, run_of(3, 9));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
}

TEST(SchedulerPipelined, ASubjectThatWasLetGoForALimitComesBackWhole) {
  SchedulerPlan plan = pipelined(1);
  plan.timers_max = 1;
  World w(plan);
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  w.status(1, failed_at(jobs[0], 1, OutcomeKind::retry));
  w.status(1, failed_at(jobs[1], 2, OutcomeKind::retry));  // no room for its timer
  w.status(1, all_done(jobs[2]));
  for (int i = 0; i < 3; ++i)
    for (const SaveCursor& save : all_of<SaveCursor>(Actions(w.last))) w.saved(save);

  w.advance(second);
  w.step({Heartbeat{.host = 1}, Tick{}});
  w.request(7, 3, run_of(1, 3));
  const auto again = all_of<IssueJob>(w.last);

  ASSERT_FALSE(again.empty());
  for (const IssueJob& job : again) w.status(1, all_done(job));
  EXPECT_EQ(w.cursor(7), 3);
}

}  // namespace
}  // namespace cape::scheduler
