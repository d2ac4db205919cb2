// Attempts, backoff, parking, and what counts as none.
#include <gtest/gtest.h>

#include <set>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

IssueJob run_three(World& w) {
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  return w.only<IssueJob>();
}

TEST(SchedulerRetry, CountsTheSuccessesBeforeTheFailedEvent) {
  World w;
  const auto job = run_three(w);

  w.status(1, failed_at(job, 3, OutcomeKind::retry));

  EXPECT_EQ(w.cursor(7), 2);
  const auto notice = w.only<Notice>();
  EXPECT_EQ(notice.sequence, 3);
  EXPECT_EQ(notice.attempts, 1u);
  EXPECT_EQ(w.scheduler.counters().events_done, 2u);
}

TEST(SchedulerRetry, WaitsAndThenRunsFromTheFailedEventWithItsAttempts) {
  World w;
  const auto job = run_three(w);

  w.status(1, failed_at(job, 2, OutcomeKind::signaled));
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  EXPECT_FALSE(w.scheduler.positions(7, 0, nullptr)[0].can_run);
  w.request(7, 3, run_of(2, 3));
  EXPECT_EQ(w.count<IssueJob>(), 0u);  // a ping does not shorten the wait

  ASSERT_TRUE(w.to_deadline());
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.request(7, 3, run_of(2, 3));
  const auto again = w.only<IssueJob>();
  EXPECT_EQ(again.events.first_sequence(), 2);
  EXPECT_EQ(again.attempt, 1u);
  EXPECT_TRUE(again.may_repeat);
  EXPECT_GT(again.job, job.job);
}

// The store refuses a record with a longer one, and with it every topology's cursor of the subject.
TEST(SchedulerRetry, ReasonOfAnyLengthFitsTheRecord) {
  for (const OutcomeKind kind : {OutcomeKind::failed, OutcomeKind::retry, OutcomeKind::violation})
    for (const std::size_t length : {0u, 1000u, 1016u, 1017u, 1024u, 5000u}) {
      World w;
      const auto job = run_three(w);
      const auto before = w.only<SaveCursor>();

      w.status(1, failed_at(job, 2, kind, std::string(length, 'r')));
      w.saved(before);

      const auto save = w.only<SaveCursor>();
      ASSERT_EQ(save.info.topologies.size(), 1u);
      for (const auto& topology : save.info.topologies)
        for (const auto& lambda : topology.lambdas)
          EXPECT_LE(lambda.reason.size(), reason_bytes_max) << name_of(kind) << " of " << length;
    }
}

TEST(SchedulerRetry, CountsAnewForAnotherEventAndForgetsAfterSuccess) {
  World w;
  auto job = run_three(w);
  for (int i = 0; i < 3; ++i) {
    w.status(1, failed_at(job, 2, OutcomeKind::retry));
    w.to_deadline();
    w.request(7, 3, run_of(2, 3));
    job = w.only<IssueJob>();
  }
  EXPECT_EQ(job.attempt, 3u);

  w.status(1, failed_at(job, 3, OutcomeKind::retry));
  EXPECT_EQ(w.only<Notice>().attempts, 1u);
  w.to_deadline();
  w.request(7, 3, run_of(3, 3));
  w.status(1, all_done(w.only<IssueJob>()));

  const auto view = w.scheduler.view(7, 0, nullptr).topologies[0];
  EXPECT_EQ(view.attempt, 0u);
  EXPECT_EQ(view.reason, "");
  EXPECT_EQ(view.state, SubjectState::done);
}

TEST(SchedulerRetry, ParksAfterTheConfiguredAttempts) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].retry.park_after = 2;
  World w(plan);
  const auto job = run_three(w);

  w.status(1, failed_at(job, 1, OutcomeKind::retry));
  w.to_deadline();
  w.request(7, 3, run_of(1, 3));
  w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::retry, "still no"));

  EXPECT_EQ(notices(w.last, Notice::Kind::parked).size(), 1u);
  EXPECT_EQ(w.state(7), SubjectState::parked);
  EXPECT_EQ(w.scheduler.view(7, 0, nullptr).topologies[0].reason, "RETRY: still no");
  w.request(7, 3, run_of(1, 3));
  EXPECT_EQ(w.count<IssueJob>() + w.count<PingAgain>(), 0u);
}

TEST(SchedulerRetry, ParksAtOnceWhatTryingAgainCannotHelp) {
  for (OutcomeKind kind :
       {OutcomeKind::failed, OutcomeKind::bad_input, OutcomeKind::limit, static_cast<OutcomeKind>(77)}) {
    World w;
    const auto job = run_three(w);

    w.status(1, failed_at(job, 2, kind));

    EXPECT_EQ(w.state(7), SubjectState::parked) << name_of(kind);
    EXPECT_EQ(w.cursor(7), 1);
  }
}

TEST(SchedulerRetry, CountsNoAttemptForWhatWasCancelledOrNeverBegan) {
  for (OutcomeKind kind :
       {OutcomeKind::cancelled, OutcomeKind::external_kill, OutcomeKind::setup, OutcomeKind::signaled}) {
    World w;
    const auto job = run_three(w);

    w.status(1, never_started(job, kind));

    EXPECT_EQ(w.count<Notice>(), 0u) << name_of(kind);
    EXPECT_EQ(w.count<PingAgain>(), 1u);  // at once
    w.request(7, 3, run_of(1, 3));
    const auto again = w.only<IssueJob>();
    EXPECT_EQ(again.attempt, 0u);
    EXPECT_FALSE(again.may_repeat);
  }
}

TEST(SchedulerRetry, WhatComesBackUnstartedAgainAndAgainWaitsALittle) {
  World w;
  auto job = run_three(w);
  std::vector<std::int64_t> waits;

  for (int i = 0; i < 12; ++i) {
    const std::int64_t begin = w.now.boot_ns;
    w.status(1, never_started(job, OutcomeKind::setup));
    if (w.count<PingAgain>() == 0) w.to_deadline();
    waits.push_back((w.now.boot_ns - begin) / ms);
    w.step({Heartbeat{1, {}}});
    w.request(7, 3, run_of(1, 3));
    job = w.only<IssueJob>();
  }

  EXPECT_EQ(waits, (std::vector<std::int64_t>{0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000}));
}

TEST(SchedulerRetry, IgnoresALateStatusOfAnEarlierAttempt) {
  World w;
  const auto first = run_three(w);
  w.status(1, failed_at(first, 1, OutcomeKind::retry));
  w.to_deadline();
  w.request(7, 3, run_of(1, 3));
  ASSERT_EQ(w.count<IssueJob>(), 1u);

  w.status(1, all_done(first));

  EXPECT_EQ(w.cursor(7), 0);
  EXPECT_EQ(w.state(7), SubjectState::in_flight);
  EXPECT_EQ(w.only<Notice>().kind, Notice::Kind::stale_status);
  EXPECT_EQ(w.last.size(), 1u);
  EXPECT_EQ(w.scheduler.counters().stale_statuses, 1u);
}

TEST(SchedulerRetry, IgnoresAStatusOfAnotherHostOrAnUnknownJob) {
  World w;
  const auto job = run_three(w);
  w.host(2);

  w.status(2, all_done(job));
  EXPECT_EQ(w.last.size(), 1u);
  wire::JobStatus unknown = all_done(job);
  unknown.job += 1024;  // the same place in the table
  w.status(1, unknown);
  EXPECT_EQ(w.last.size(), 1u);

  EXPECT_EQ(w.cursor(7), 0);
  EXPECT_EQ(w.scheduler.counters().stale_statuses, 2u);
  w.status(1, all_done(job));
  EXPECT_EQ(w.cursor(7), 3);
}

TEST(SchedulerRetry, AStatusThatDoesNotFitTheJobIsAFailedAttemptWithoutProgress) {
  const auto spoil = [](const IssueJob& job, Sequence done_to, OutcomeKind kind, Sequence failed) {
    return wire::JobStatus{
        .job = job.job, .done_to = done_to, .end = {kind, ""}, .failed_sequence = failed, .started = true};
  };
  struct Case {
    Sequence done_to;
    OutcomeKind kind;
    Sequence failed;
  };
  for (const Case& c :
       {Case{9, OutcomeKind::ok, 0}, Case{-1, OutcomeKind::ok, 0}, Case{2, OutcomeKind::ok, 0},
        Case{0, OutcomeKind::ok, 0}, Case{3, OutcomeKind::retry, 4}, Case{1, OutcomeKind::retry, 3},
        Case{1, OutcomeKind::failed, 1}, Case{INT64_MAX, OutcomeKind::retry, 0}}) {
    World w;
    const auto job = run_three(w);

    w.status(1, spoil(job, c.done_to, c.kind, c.failed));

    EXPECT_EQ(w.cursor(7), 0);
    const auto notice = w.only<Notice>();
    EXPECT_EQ(notice.outcome.kind, OutcomeKind::protocol) << c.done_to;
    EXPECT_EQ(notice.sequence, 1);
    EXPECT_EQ(notice.attempts, 1u);
  }
}

TEST(SchedulerRetry, JitterStaysBetweenHalfAndTheWholeAndDiffersBetweenSubjects) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].retry = {.first_ms = 100, .factor = 2, .max_ms = 300};
  plan.lambdas[0].breaker.enabled = false;
  World w(plan);
  w.host(1, 1000);
  std::set<std::int64_t> delays;

  for (SubjectId subject = 1; subject <= 200; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::retry));
    const std::int64_t delay = w.only<Notice>().next_try_ns - w.now.boot_ns;
    EXPECT_GE(delay, 50 * ms);
    EXPECT_LE(delay, 100 * ms);
    delays.insert(delay);
  }
  EXPECT_GT(delays.size(), 190u);
}

TEST(SchedulerRetry, TheDelayGrowsToItsBound) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].retry = {.first_ms = 100, .factor = 3, .max_ms = 1000};
  World w(plan);
  auto job = run_three(w);

  for (const std::int64_t whole_ms : {100, 300, 900, 1000, 1000}) {
    w.status(1, failed_at(job, 1, OutcomeKind::retry));
    const std::int64_t delay = w.only<Notice>().next_try_ns - w.now.boot_ns;
    EXPECT_GE(delay, whole_ms * ms / 2);
    EXPECT_LE(delay, whole_ms * ms);
    w.to_deadline();
    w.request(7, 3, run_of(1, 3));
    job = w.only<IssueJob>();
  }
}

// The record that the last save carried; all of them are told to be stored.
storage::CursorInfo saved_info(World& w) {
  storage::CursorInfo last;
  for (auto saves = all_of<SaveCursor>(w.last); !saves.empty(); saves = all_of<SaveCursor>(w.last)) {
    last = saves.back().info;
    w.saved(saves.back());
  }
  return last;
}
std::int64_t failing_since(const storage::CursorInfo& info) {
  return info.topologies.at(0).lambdas.at(0).failing_since_wall_ns;
}

TEST(SchedulerRetry, TellsSinceWhenAnEventFailsUntilItIsDone) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(2, 3), stored_at(3, 1));
  const std::int64_t first_ns = w.now.wall_ns;
  w.status(1, failed_at(w.only<IssueJob>(), 2, OutcomeKind::retry));
  EXPECT_EQ(failing_since(saved_info(w)), first_ns);

  ASSERT_TRUE(w.to_deadline());
  w.request(7, 3, run_of(2, 3));
  w.status(1, failed_at(w.only<IssueJob>(), 2, OutcomeKind::failed));  // parked
  const storage::CursorInfo parked = saved_info(w);
  EXPECT_EQ(failing_since(parked), first_ns) << "it is the same event";
  ASSERT_FALSE(w.scheduler.holds(7));

  w.step({Command{.id = 1,
                  .act = Act::redrive,
                  .topology = 0,
                  .subject = 7,
                  .domain = 0,
                  .name = "s7",
                  .stored = parked,
                  .sequence = 0,
                  .reason = ""}});
  const storage::CursorInfo redriven = saved_info(w);
  EXPECT_FALSE(redriven.topologies[0].lambdas[0].parked);
  EXPECT_EQ(failing_since(redriven), first_ns) << "a redrive does not make it succeed";
  w.request(7, 3, run_of(2, 3), redriven);
  w.status(1, all_done(w.only<IssueJob>()));
  EXPECT_EQ(failing_since(saved_info(w)), 0);
}

TEST(SchedulerRetry, TellsSinceWhenAnEventFailsAfterARestart) {
  storage::CursorInfo stored = stored_at(3, 1);
  stored.topologies[0].lambdas[0].failed_sequence = 2;
  stored.topologies[0].lambdas[0].attempts = 4;
  stored.topologies[0].lambdas[0].failing_since_wall_ns = 77;
  World w(one_topology(), 2);
  w.host(1);

  w.request(7, 3, run_of(2, 3), stored);
  const auto job = w.only<IssueJob>();
  w.status(1, failed_at(job, 2, OutcomeKind::retry));

  EXPECT_EQ(failing_since(saved_info(w)), 77);
}

}  // namespace
}  // namespace cape::scheduler
