// How children die and fail to start, and when a plugin is set aside.
#include "host/worker/worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin_api/include/cape/plugin.h"
#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::WorkerBench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---- deaths

TEST(Worker, ReportsTheEventAChildDiedInAndRunsTheOthersInANewOne) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "crashes", 5, 4), bench.job(3, "a"), bench.job(4, "b"));

  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::signaled,
                                     {bench.in_work(2, 7, 6, 2), bench.untouched(3), bench.untouched(4)})),
              ElementsAre("start 2 aaaa", "status 2 SIGNALED done to 6 (2) in 7"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 3", "give 2 <- job 4"));
}

TEST(Worker, RunsAgainWhatWasGivenButNeverReachedTheChild) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"), bench.job(3, "b"));

  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::external_kill, {})), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 2", "give 2 <- job 3"));
}

TEST(Worker, RunsTheRestOfAJobWhoseChildDiedBetweenTwoEvents) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a", 1, 5));

  bench.step(bench.ended(1, OutcomeKind::external_kill, {bench.untouched(2, 4, 3, 3)}));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 2 of 2"));
  EXPECT_THAT(bench.step(bench.failed(2, 2, OutcomeKind::retry, 4)),
              ElementsAre("status 2 RETRY done to 3 (3) in 4"));
}

TEST(Worker, RunsEventsOneACallAfterACallOfSeveralDied) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a", 1, 3), bench.job(3, "b"));
  ChildReported death = bench.ended(1, OutcomeKind::signaled, {bench.untouched(2), bench.untouched(3)});
  std::get<child::ChildEnded>(death.report).rerun_singly = 1;

  EXPECT_THAT(bench.step(std::move(death)), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 2 of 3 singly", "give 2 <- job 3"));
}

TEST(Worker, SaysThatAJobMayHaveRunWhenTheCallThatDiedWasItsLast) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a", 1, 3), bench.job(3, "b"));
  ChildReported death = bench.ended(1, OutcomeKind::signaled, {bench.untouched(2), bench.untouched(3)});
  std::get<child::ChildEnded>(death.report).rerun_singly = 1;
  bench.step(std::move(death));

  EXPECT_THAT(bench.step(bench.ended(2, OutcomeKind::setup, {}, false)),
              ElementsAre("status 2 SETUP in 1", "status 3 SETUP before 1", "no credit: SETUP in the child"));
}

TEST(Worker, ReplacesAChildAtOnceWhenItHadStartedAnEvent) {
  WorkerBench bench;
  bench.open_with_child();
  for (JobId id = 2; id < 5; ++id) {
    const ChildId child = static_cast<ChildId>(id - 1);
    bench.step(bench.job(id, "s" + std::to_string(id)), bench.ready(child));
    bench.step(bench.ended(child, OutcomeKind::signaled, {bench.in_work(id, 1)}));
    EXPECT_THAT(bench.step(bench.job(100 + id)), ElementsAre("start " + std::to_string(child + 1) + " aaaa"));
    EXPECT_THAT(bench.step(CancelAsked{100 + id}), ElementsAre(HasSubstr("CANCELLED")));
  }
}

TEST(Worker, BacksOffWhenNoChildStartsAndGivesTheJobsBackWithTheReason) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1));

  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::setup, {}, false)),
              ElementsAre("status 1 SETUP before 1", "no credit: SETUP in the child"));
  EXPECT_THAT(bench.step(bench.job(2)), ElementsAre("status 2 SETUP before 1"));

  std::vector<std::int64_t> delays_ms;
  for (ChildId child = 2; child < 13; ++child) {
    const std::int64_t next_ns = bench.worker.next_deadline().value();
    delays_ms.push_back((next_ns - bench.now_ns) / ns_per_ms);
    bench.now_ns = next_ns;
    EXPECT_THAT(bench.step(TimePassed{}), ElementsAre(fmt::format("start {} aaaa", child)));
    bench.step(bench.ended(child, OutcomeKind::setup, {}, false));
  }
  EXPECT_THAT(delays_ms,
              ElementsAre(100, 200, 400, 800, 1'600, 3'200, 6'400, 12'800, 25'600, 30'000, 30'000));
}

TEST(Worker, GivesCreditAgainOnceAChildStarts) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1));
  bench.step(StartFailed{1, "cannot clone"});

  EXPECT_THAT(bench.after_ms(100), ElementsAre("start 2 aaaa"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("credit 64 aaaa"));
  EXPECT_THAT(bench.step(bench.job(2)), ElementsAre("give 2 <- job 2"));
}

TEST(Worker, DoesNotStartAgainAfterBadConfigUntilThePluginChanges) {
  WorkerBench bench;
  bench.open();
  bench.step(bench.job(1));

  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::bad_config, {}, false)),
              ElementsAre("status 1 SETUP before 1", "no credit: BAD_CONFIG in the child"));
  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 1'000 * ns_per_s);  // the lease alone
  EXPECT_THAT(bench.step(bench.serves("bbbb")), ElementsAre("credit 64 bbbb"));
}

TEST(Worker, RefusesASecondChildOfAPluginThatDoesNotShareItsState) {
  WorkerLambda lambda = WorkerBench::lambda_of(2);
  lambda.owns_state = true;
  WorkerBench bench(WorkerBench::plan_of(lambda));
  bench.open();
  bench.step(bench.job(1));

  EXPECT_THAT(bench.step(bench.ready(1)),
              ElementsAre("stop 1", "status 1 SETUP before 1",
                          "no credit: the plugin does not say that several children may share its state: set "
                          "children_max = 1"));
}

TEST(Worker, TakesAPluginThatSharesItsState) {
  WorkerLambda lambda = WorkerBench::lambda_of(2);
  lambda.owns_state = true;
  WorkerBench bench(WorkerBench::plan_of(lambda));
  bench.open();
  bench.step(bench.job(1));

  EXPECT_THAT(bench.step(bench.ready(1, CAPE_LAMBDA_SHARES_STATE)), ElementsAre("give 1 <- job 1"));
}

// ---- set aside

class WorkerSetAside : public ::testing::Test {
 protected:
  // A job of `subject` crashes its child; returns what was decided then.
  std::vector<std::string> crash(const std::string& subject) {
    bench.step(bench.job(++last_job, subject));
    ++last_child;
    bench.step(bench.ready(last_child));
    return bench.step(bench.ended(last_child, OutcomeKind::signaled, {bench.in_work(last_job, 1)}));
  }
  WorkerBench bench;
  JobId last_job = 0;
  ChildId last_child = 0;
};

TEST_F(WorkerSetAside, AfterFiveSubjectsCrashedThePlugin) {
  bench.open();
  for (const char* subject : {"a", "b", "c", "d"})
    EXPECT_THAT(crash(subject), ElementsAre(HasSubstr("SIGNALED")));

  EXPECT_THAT(crash("e"), ElementsAre("status 5 SIGNALED in 1", HasSubstr("no credit: set aside")));
  EXPECT_THAT(bench.step(bench.job(6, "f")), ElementsAre("status 6 CANCELLED before 1"));
}

TEST_F(WorkerSetAside, NotWhenOneSubjectCrashesItAgainAndAgain) {
  bench.open();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(crash("a"), ElementsAre(HasSubstr("SIGNALED")));
}

TEST_F(WorkerSetAside, NotWhenTheCrashesLieFarApart) {
  bench.open();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(crash("s" + std::to_string(i)), ElementsAre(HasSubstr("SIGNALED")));
    bench.now_ns += 16 * ns_per_s;
  }
}

TEST_F(WorkerSetAside, NotWhenAnEventSucceededBetween) {
  bench.open();
  for (const char* subject : {"a", "b", "c", "d"}) crash(subject);
  bench.step(bench.job(++last_job, "good"));
  bench.step(bench.ready(++last_child));
  bench.step(bench.done(last_child, last_job));
  bench.step(bench.ended(last_child, OutcomeKind::external_kill));

  EXPECT_THAT(crash("e"), ElementsAre(HasSubstr("SIGNALED")));
}

TEST_F(WorkerSetAside, OneEventAtATimeProbesItWithBackoffAndOneSuccessClearsIt) {
  bench.open();
  for (const char* subject : {"a", "b", "c", "d", "e"}) crash(subject);

  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 200 * ns_per_ms);
  EXPECT_THAT(bench.after_ms(200), ElementsAre("credit 1 aaaa"));
  EXPECT_THAT(crash("f"), ElementsAre("status 6 SIGNALED in 1", HasSubstr("no credit: set aside")));
  EXPECT_THAT(bench.after_ms(399), IsEmpty());
  EXPECT_THAT(bench.after_ms(1), ElementsAre("credit 1 aaaa"));

  EXPECT_THAT(bench.step(bench.job(7, "g"), bench.job(8, "h")),
              ElementsAre("start 7 aaaa", "status 8 CANCELLED before 1"));
  EXPECT_THAT(bench.step(bench.ready(7)), ElementsAre("give 7 <- job 7"));
  EXPECT_THAT(bench.step(bench.done(7, 7)), ElementsAre("status 7 OK done to 1 (1)", "credit 64 aaaa"));
}

class WorkerJudges : public WorkerSetAside {
 protected:
  // "aaaa: works", "aaaa: the trouble"; empty: nothing is said.
  std::string judged() {
    std::string all;
    for (const BytesJudged& said : bench.worker.take_judged())
      all += said.hash + ": " + (said.trouble.empty() ? "works" : said.trouble);
    return all;
  }
};

TEST_F(WorkerJudges, BytesWithWhichAnEventSucceededToWorkOnce) {
  bench.open_with_child();
  EXPECT_EQ(judged(), "aaaa: works");
  bench.step(bench.job(2));
  bench.step(bench.done(1, 2));
  EXPECT_EQ(judged(), "");
}

TEST_F(WorkerJudges, BytesWhoseFirstEventsAllCrashedNotToWork) {
  bench.open();
  for (const char* subject : {"a", "a"}) crash(subject);
  EXPECT_EQ(judged(), "");
  crash("a");
  EXPECT_THAT(judged(), HasSubstr("aaaa: its first 3 events crashed it"));
  crash("b");
  EXPECT_EQ(judged(), "") << "once is enough";
}

TEST_F(WorkerJudges, BytesThatWorkedToWorkWhateverComesLater) {
  bench.open_with_child();
  bench.step(bench.ended(1, OutcomeKind::external_kill));
  last_child = 1;
  last_job = 1;
  EXPECT_EQ(judged(), "aaaa: works");
  for (const char* subject : {"a", "b", "c", "d"}) crash(subject);
  EXPECT_EQ(judged(), "");
}

TEST_F(WorkerJudges, OtherBytesAnew) {
  bench.open();
  for (const char* subject : {"a", "b", "c"}) crash(subject);
  judged();
  bench.step(bench.serves("bbbb"));
  bench.step(bench.job(++last_job, "a", 1, 1, "bbbb"));
  bench.step(bench.ready(++last_child));
  bench.step(bench.done(last_child, last_job));
  EXPECT_EQ(judged(), "bbbb: works");
}

TEST_F(WorkerJudges, BytesThatAreSlowerByFarNotToWorkAfterAll) {
  bench.open();
  const auto run = [&](const std::string& hash, std::int64_t took_ms) {
    bench.step(bench.job(++last_job, "s", 1, 50, hash));
    bench.step(bench.done(last_child, last_job, 50, 50, took_ms));
  };
  bench.step(bench.job(++last_job, "s", 1, 50));
  bench.step(bench.ready(++last_child));
  bench.step(bench.done(last_child, last_job, 50, 50, 50));
  for (int i = 0; i < 3; ++i) run("aaaa", 50);
  EXPECT_EQ(judged(), "aaaa: works");
  bench.step(bench.serves("bbbb"));
  bench.step(bench.ended(last_child, OutcomeKind::ok));
  bench.step(bench.job(++last_job, "s", 1, 50, "bbbb"));
  bench.step(bench.ready(++last_child));
  bench.step(bench.done(last_child, last_job, 50, 50, 1'000));
  EXPECT_EQ(judged(), "bbbb: works");

  run("bbbb", 1'000);

  EXPECT_THAT(judged(), HasSubstr("bbbb: slower by far: its first 100 events took 20 ms (p95)"));
  run("bbbb", 1'000);
  EXPECT_EQ(judged(), "") << "once is enough";
}

}  // namespace
}  // namespace cape::host
