// Hosts, their credit, and what becomes of their jobs when they go.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

Credit credit(HostId host, std::uint32_t jobs_max, LambdaIndex lambda = 0) {
  return {.host = host, .lambda = lambda, .jobs_max = jobs_max, .hash = "hash", .trouble = {}};
}
Heartbeat running(HostId host, const IssueJob& job, Sequence sequence) {
  return {.host = host, .running = {{.job = job.job, .sequence = sequence}}};
}

TEST(SchedulerHosts, IssuesOnlyWhereThereIsCreditAndInTheOrderOfArrival) {
  World w;
  w.host(1, 1);

  w.request(5, 1, run_of(1, 1));
  const auto first = w.only<IssueJob>();
  w.request(9, 1, run_of(1, 1));
  w.request(6, 1, run_of(1, 1));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.state(9), SubjectState::ready);

  w.status(1, all_done(first));
  const auto second = w.only<IssueJob>();
  EXPECT_EQ(second.subject, 9u);
  w.step({credit(1, 2)});
  EXPECT_EQ(w.only<IssueJob>().subject, 6u);
}

TEST(SchedulerHosts, ChoosesTheHostWithTheMostRoomThenTheLowestId) {
  World w;
  w.host(4, 2);
  w.host(3, 2);
  w.host(5, 3);
  std::vector<HostId> chosen;

  for (SubjectId subject = 1; subject <= 7; ++subject) chosen.push_back((w.request(subject, 1, run_of(1, 1)), w.only<IssueJob>().host));

  EXPECT_EQ(chosen, (std::vector<HostId>{5, 3, 4, 5, 3, 4, 5}));
}

TEST(SchedulerHosts, CreditWithoutAPluginIsNone) {
  World w;
  w.host(1, 0);
  w.step({Credit{.host = 1, .lambda = 0, .jobs_max = 5, .hash = "", .trouble = "set aside"}});

  w.request(7, 1, run_of(1, 1));

  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.scheduler.view(7, 0, nullptr).topologies[0].reason, "host h1: set aside");
}

TEST(SchedulerHosts, LessCreditThanJobsOutIssuesNothingUntilTheyAreBack) {
  World w;
  w.host(1, 2);
  w.request(1, 1, run_of(1, 1));
  const auto first = w.only<IssueJob>();
  w.request(2, 1, run_of(1, 1));
  const auto second = w.only<IssueJob>();
  w.step({credit(1, 1)});
  w.request(3, 1, run_of(1, 1));

  w.status(1, all_done(first));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.status(1, all_done(second));
  EXPECT_EQ(w.count<IssueJob>(), 1u);
}

TEST(SchedulerHosts, WhatAPeerSaysOfUnknownHostsAndLambdasChangesNothing) {
  World w;
  w.host(1, 1);
  const std::vector<Input> inputs{credit(9, 5), credit(1, 5, 77), Heartbeat{.host = 9, .running = {}}, HostGone{.host = 9}};

  EXPECT_TRUE(w.step(inputs).empty());
  EXPECT_EQ(w.scheduler.counters().hosts, 1u);
}

TEST(SchedulerHosts, AHostIsLostOnlyOneLeaseAndTheKillTimeAfterItsLastHeartbeat) {
  World w;  // lease 10 s, kill 2 s
  w.host(1);
  w.request(7, 3, run_of(1, 3));

  w.advance(9 * second);
  w.step({Heartbeat{.host = 1, .running = {}}});
  w.advance(12 * second);
  w.step({Tick{}});
  EXPECT_EQ(w.count<Notice>(), 0u);
  EXPECT_EQ(w.scheduler.next_deadline(), w.now.boot_ns + 1);

  w.advance(1);
  w.step({Tick{}});
  EXPECT_EQ(w.only<Notice>().kind, Notice::Kind::host_lost);
  EXPECT_EQ(w.only<Notice>().host, 1u);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_FALSE(w.scheduler.knows_host(1));
}

TEST(SchedulerHosts, AHeartbeatThatWaitedWhileWeSleptStillCounts) {
  World w;
  w.host(1);
  w.advance(60 * second);

  w.step({Heartbeat{.host = 1, .running = {}}, Tick{}});

  EXPECT_EQ(w.count<Notice>(), 0u);
}

TEST(SchedulerHosts, ALostHostCostsOneAttemptForTheEventItNamedAsRunning) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto named = w.only<IssueJob>();
  w.request(8, 3, run_of(1, 3));
  w.step({running(1, named, 2)});
  w.host(2);

  w.advance(13 * second);
  w.step({Heartbeat{.host = 2, .running = {}}});
  const auto failed = notices(w.last, Notice::Kind::attempt_failed);
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].subject, "s7");
  EXPECT_EQ(failed[0].sequence, 2);
  EXPECT_EQ(w.only<PingAgain>().subject, 8u);  // the other one at once
  EXPECT_EQ(w.cursor(7), 0);                   // nothing is known done

  w.request(8, 3, run_of(1, 3));
  EXPECT_EQ(w.only<IssueJob>().attempt, 0u);
  EXPECT_TRUE(w.only<IssueJob>().may_repeat);
  w.to_deadline();
  w.request(7, 3, run_of(1, 3));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 1);
  EXPECT_EQ(w.only<IssueJob>().attempt, 0u);  // attempts are event 2's
  EXPECT_TRUE(w.only<IssueJob>().may_repeat);
}

TEST(SchedulerHosts, HostDiesAfterSuccessBeforeItsStatus) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.step({running(1, job, 3), HostGone{.host = 1}, HostUp{.host = 2, .name = "h1"}, credit(2, 4)});
  ASSERT_TRUE(w.to_deadline());

  w.request(7, 3, run_of(1, 3));
  const auto again = w.only<IssueJob>();
  w.status(1, all_done(job));  // the dead session's word

  EXPECT_EQ(w.cursor(7), 0);
  EXPECT_EQ(w.only<Notice>().kind, Notice::Kind::stale_status);
  EXPECT_TRUE(again.may_repeat);
  w.status(2, all_done(again));
  EXPECT_EQ(w.cursor(7), 3);
}

TEST(SchedulerHosts, AGoodbyeCostsNoAttempt) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.step({running(1, job, 1)});
  w.host(2);

  w.step({HostGone{.host = 1, .clean = true}});

  EXPECT_EQ(w.count<Notice>(), 0u);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
}

TEST(SchedulerHosts, AHeartbeatCannotNameAnEventThatIsNotInTheJob) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();

  w.step({running(1, job, 99), HostGone{.host = 1}});

  EXPECT_EQ(w.count<Notice>(), 0u);
}

TEST(SchedulerHosts, HostAgainstTheSubjectItWasGivenMayNotSpin) {
  World w;
  int jobs = 0;
  const std::int64_t begin = w.now.boot_ns;
  for (HostId host = 1; host <= 20; ++host) {
    w.host(host);
    if (jobs == 0) w.request(7, 3, run_of(1, 3));
    jobs += static_cast<int>(w.count<IssueJob>());
    w.step({HostGone{.host = host}});
    while (w.count<PingAgain>() == 0 && w.to_deadline()) {
    }
    w.request(7, 3, run_of(1, 3));
  }
  EXPECT_EQ(jobs, 20);
  EXPECT_GT(w.now.boot_ns - begin, 5 * second);
}

}  // namespace
}  // namespace cape::scheduler
