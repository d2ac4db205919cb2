// Which child runs what, and what becomes of slow and hanging events.
#include "host/worker/worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::WorkerBench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---- running jobs

TEST(Worker, GivesCreditWhenAPluginServesAndStartsAChildForTheFirstJob) {
  WorkerBench bench(2);

  EXPECT_THAT(bench.step(SessionStarted{}), ElementsAre("no credit: the plugins are being looked at"));
  EXPECT_THAT(bench.step(bench.serves("aaaa")), ElementsAre("credit 128 aaaa"));
  EXPECT_THAT(bench.step(bench.job(7)), ElementsAre("start 1 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(1)), ElementsAre("give 1 <- job 7"));
  EXPECT_THAT(bench.step(bench.done(1, 7)), ElementsAre("status 7 OK done to 1 (1)"));
}

TEST(Worker, GivesAJobToTheChildWithTheFewestOut) {
  WorkerBench bench(2);
  bench.open_with_child();
  bench.step(bench.job(2), bench.job(3));
  EXPECT_THAT(bench.after_ms(10), ElementsAre("take back 1"));
  EXPECT_THAT(bench.step(bench.gave_back(1, 3)), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 3"));
  bench.step(bench.done(1, 2));

  EXPECT_THAT(bench.step(bench.job(4)), ElementsAre("give 1 <- job 4"));
}

TEST(Worker, StopsAChildThatWasWithoutAJobForTooLong) {
  WorkerLambda lambda = WorkerBench::lambda_of(1);
  lambda.idle_max_ns = 10 * ns_per_s;
  WorkerBench bench(WorkerBench::plan_of(lambda));
  bench.open_with_child();
  EXPECT_THAT(bench.after_ms(9'000), IsEmpty());
  EXPECT_THAT(bench.step(bench.job(2)), ElementsAre("give 1 <- job 2"));
  EXPECT_THAT(bench.after_ms(9'000), IsEmpty()) << "it has a job";
  bench.step(bench.done(1, 2));

  EXPECT_THAT(bench.after_ms(9'999), IsEmpty());
  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + ns_per_ms);
  EXPECT_THAT(bench.after_ms(1), ElementsAre("stop 1"));
  bench.step(bench.ended(1, OutcomeKind::ok, {}, false));
  EXPECT_THAT(bench.step(bench.job(3)), ElementsAre("start 2 aaaa"));
}

TEST(Worker, KeepsFewJobsAheadUntilItKnowsThatTheyAreQuick) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1), bench.job(2), bench.job(3), bench.job(4));
  EXPECT_THAT(bench.step(bench.ready(1)), ElementsAre("give 1 <- job 1", "give 1 <- job 2"));

  bench.now_ns += 100 * ns_per_ms;
  EXPECT_THAT(bench.step(bench.done(1, 1, 1, 1, 100)),
              ElementsAre("status 1 OK done to 1 (1)"));  // slow: none ahead

  EXPECT_THAT(bench.step(bench.done(1, 2, 1, 1, 100)),
              ElementsAre("give 1 <- job 3", "status 2 OK done to 1 (1)"));
}

TEST(Worker, KeepsManyJobsAheadOfAQuickLambda) {
  WorkerBench bench;
  bench.open_with_child();
  std::size_t given = 0;
  for (JobId id = 2; id < 102; ++id) given += bench.step(bench.job(id)).size();
  EXPECT_EQ(given, 64u);

  EXPECT_THAT(bench.step(bench.done(1, 2, 1, 1, 0)),
              ElementsAre("give 1 <- job 66", "status 2 OK done to 1 (1)"));
}

TEST(Worker, WaitsWhenARingIsFullAndOffersTheJobAgain) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2), bench.job(3));

  EXPECT_THAT(bench.step(JobRefused{1, 3}), IsEmpty());
  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + ns_per_ms);
  EXPECT_THAT(bench.after_ms(1), ElementsAre("give 1 <- job 3"));
}

TEST(Worker, KillsAChildThatHasNoJobAndTakesNone) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2));
  bench.step(JobRefused{1, 2});
  for (int i = 0; i < 999; ++i) {
    EXPECT_THAT(bench.after_ms(1), ElementsAre("give 1 <- job 2"));
    EXPECT_THAT(bench.step(JobRefused{1, 2}), IsEmpty());
  }

  EXPECT_THAT(bench.after_ms(1), ElementsAre("give 1 <- job 2"));
  EXPECT_THAT(bench.step(JobRefused{1, 2}), ElementsAre("kill 1 PROTOCOL"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::protocol)), ElementsAre("start 2 aaaa"));
}

TEST(Worker, RefusesJobsBeyondItsCredit) {
  WorkerBench bench;
  bench.open();
  for (JobId id = 1; id <= 128; ++id) bench.step(bench.job(id));

  EXPECT_THAT(bench.step(bench.job(129)), ElementsAre("status 129 CANCELLED before 1"));
}

TEST(Worker, RefusesJobsThatCannotBe) {
  WorkerBench bench;
  bench.open();
  JobArrived other_lambda = bench.job(1);
  other_lambda.job.lambda = 9;
  JobArrived without_events = bench.job(2);
  without_events.job.events = {};
  JobArrived beyond_its_block = bench.job(3);
  beyond_its_block.job.events.first = 0xFFFFFFFF;

  EXPECT_THAT(bench.step(std::move(other_lambda)), ElementsAre("status 1 SETUP before 0"));
  EXPECT_THAT(bench.step(std::move(without_events)), ElementsAre("status 2 CANCELLED before 0"));
  EXPECT_THAT(bench.step(std::move(beyond_its_block)), ElementsAre("status 3 CANCELLED before 0"));
}

TEST(Worker, IgnoresWhatItDoesNotKnow) {
  WorkerBench bench;
  bench.open_with_child();

  EXPECT_THAT(
      bench.step(bench.done(1, 99), bench.ready(17), bench.ended(17, OutcomeKind::exited), JobRefused{17, 3},
                 StartFailed{17, "no"}, CancelAsked{99}, bench.sees(1, 99, 1, 1, 1)),
      IsEmpty());
  EXPECT_THAT(bench.worker.running(), IsEmpty());
}

// ---- slow events

TEST(Worker, TakesBackJobsBehindASlowEventWhenAnotherChildIsAllowed) {
  WorkerBench bench(2);
  bench.open_with_child();
  bench.step(bench.job(2, "slow"), bench.job(3, "a"), bench.job(4, "b"));

  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 10 * ns_per_ms);
  EXPECT_THAT(bench.after_ms(10), ElementsAre("take back 1"));
  EXPECT_THAT(bench.step(bench.gave_back(1, 3), bench.gave_back(1, 4)), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 3", "give 2 <- job 4"));
  EXPECT_THAT(bench.step(bench.job(5)), ElementsAre("give 2 <- job 5"));  // not behind the slow one
}

TEST(Worker, GivesNoJobToAChildThatRunsASlowEventWhenAnotherOneIsAllowed) {
  WorkerBench bench(2);
  bench.open_with_child();
  bench.step(bench.job(2, "slow"));
  EXPECT_THAT(bench.after_ms(10), IsEmpty());  // nothing lies behind it

  EXPECT_THAT(bench.step(bench.job(3, "a")), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 3"));
  EXPECT_THAT(bench.step(bench.job(4, "b"), bench.job(5, "c")),
              ElementsAre("give 2 <- job 4", "give 2 <- job 5"));
}

TEST(Worker, KeepsJobsForTheFirstFreeChildWhileAllRunSlowEvents) {
  WorkerBench bench(2);
  bench.open_with_child();
  bench.step(bench.job(2, "slow"));
  bench.after_ms(10);
  bench.step(bench.job(3, "slow too"));
  bench.step(bench.ready(2));
  bench.after_ms(10);

  EXPECT_THAT(bench.step(bench.job(4, "a")), IsEmpty());
  EXPECT_THAT(bench.step(bench.done(2, 3, 1, 1, 0)),
              ElementsAre("give 2 <- job 4", "status 3 OK done to 1 (1)"));
}

TEST(Worker, MovesJobsFromBehindASlowEventAsSoonAsAnotherChildIsFree) {
  WorkerBench bench(2);
  bench.open_with_child();
  bench.step(bench.job(2, "slow"));
  bench.after_ms(10);
  bench.step(bench.job(3, "slow too"));
  bench.step(bench.ready(2));
  bench.step(bench.job(4, "a"));               // behind 3, which is not known to be slow yet
  EXPECT_THAT(bench.after_ms(10), IsEmpty());  // no child could take it

  EXPECT_THAT(bench.step(bench.done(1, 2, 1, 1, 0)), ElementsAre("take back 2", "status 2 OK done to 1 (1)"));
  EXPECT_THAT(bench.step(bench.gave_back(2, 4)), ElementsAre("give 1 <- job 4"));
}

TEST(Worker, LeavesJobsBehindASlowEventWhenThereIsOneChildOnly) {
  WorkerBench bench(1);
  bench.open_with_child();
  bench.step(bench.job(2, "slow"), bench.job(3, "a"));

  EXPECT_THAT(bench.after_ms(1'000), IsEmpty());
}

TEST(Worker, CountsAnAttemptWhenAChildGivesBackAJobThatNobodyAskedFor) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2));

  EXPECT_THAT(bench.step(bench.gave_back(1, 2)), ElementsAre("status 2 PROTOCOL in 1"));
}

TEST(Worker, RunsTheRestOfAJobThatAChildCouldNotTakeWhole) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "big", 10, 5));
  ChildReported part = bench.gave_back(1, 2, 13);
  auto& status = std::get<child::ChildJobDone>(part.report).status;
  status.done_to = 12;
  status.events_done = 3;

  EXPECT_THAT(bench.step(std::move(part)), ElementsAre("give 1 <- job 2 of 2"));
  EXPECT_THAT(bench.step(bench.done(1, 2, 14, 2)), ElementsAre("status 2 OK done to 14 (5)"));
}

// ---- hangs

TEST(Worker, CancelsAndThenKillsAnEventWithoutHeartbeat) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "loops"));
  const std::int64_t start_ns = bench.now_ns;
  bench.step(bench.sees(1, 2, 1, start_ns, start_ns));
  EXPECT_EQ(bench.worker.next_deadline(), start_ns + 10 * ns_per_s);

  bench.now_ns += 10 * ns_per_s;
  EXPECT_THAT(bench.step(TimePassed{}), IsEmpty());  // no look, no verdict
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, start_ns)), ElementsAre("cancel 1"));
  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 200 * ns_per_ms);
  bench.now_ns += 200 * ns_per_ms;
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, start_ns)), ElementsAre("kill 1 HUNG"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::hung, {bench.in_work(2, 1)})),
              ElementsAre("status 2 HUNG in 1"));
}

TEST(Worker, HeartbeatsHoldOffTheTimeoutButNotTheHardCap) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "beats for ever"));
  const std::int64_t start_ns = bench.now_ns;

  for (int s = 0; s < 60; s += 5) {
    EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, bench.now_ns)), IsEmpty());
    bench.now_ns += 5 * ns_per_s;
  }

  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, bench.now_ns)), ElementsAre("cancel 1"));
  bench.now_ns += 200 * ns_per_ms;
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, bench.now_ns)), ElementsAre("kill 1 HUNG"));
}

TEST(Worker, DoesNotBlameANewEventForTheTimeOfTheOneBefore) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "s", 1, 2));
  const std::int64_t start_ns = bench.now_ns;
  bench.step(bench.sees(1, 2, 1, start_ns, start_ns));
  bench.now_ns += 10 * ns_per_s;
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, start_ns)), ElementsAre("cancel 1"));

  bench.now_ns += ns_per_s;
  EXPECT_THAT(bench.step(bench.sees(1, 2, 2, bench.now_ns, bench.now_ns)), IsEmpty());
  EXPECT_THAT(bench.worker.running(), ElementsAre(::testing::Field(&wire::RunningEvent::sequence, 2)));
}

TEST(Worker, ForgetsWhatItSawOfAJobThatIsDone) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2));
  bench.step(bench.sees(1, 2, 1, bench.now_ns, bench.now_ns));
  bench.step(bench.done(1, 2));

  EXPECT_THAT(bench.worker.running(), IsEmpty());
  EXPECT_THAT(bench.after_ms(60'000), IsEmpty());
}

TEST(Worker, KillsAChildThatIsNotReadyInTime) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1));

  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 5 * ns_per_s);
  EXPECT_THAT(bench.after_ms(5'000), ElementsAre("kill 1 SETUP"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::setup, {}, false)),
              ElementsAre("status 1 SETUP before 1", "no credit: SETUP in the child"));
}

TEST(Worker, CancelsTheRunningEventOfAJobWhenTheBrokerAsks) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"), bench.job(3, "b"));
  const std::int64_t start_ns = bench.now_ns;

  EXPECT_THAT(bench.step(CancelAsked{2}, bench.sees(1, 2, 1, start_ns, start_ns)), ElementsAre("cancel 1"));
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, start_ns)), IsEmpty());  // said once
  bench.now_ns += 200 * ns_per_ms;
  EXPECT_THAT(bench.step(bench.sees(1, 2, 1, start_ns, start_ns)), ElementsAre("kill 1 CANCELLED"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::cancelled, {bench.in_work(2, 1), bench.untouched(3)})),
              ElementsAre("start 2 aaaa", "status 2 CANCELLED in 1"));
}

TEST(Worker, CancelsAWaitingJobAtOnce) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1));

  EXPECT_THAT(bench.step(CancelAsked{1}), ElementsAre("status 1 CANCELLED before 1"));
}

}  // namespace
}  // namespace cape::host
