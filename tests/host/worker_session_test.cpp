// New bytes, draining, leases and sessions.
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

// ---- new bytes, drain, lease, session

TEST(Worker, DrainsOldChildrenWhenOtherBytesServe) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"), bench.job(3, "b"));

  EXPECT_THAT(bench.step(bench.serves("bbbb")), ElementsAre("take back 1", "stop 1", "credit 64 bbbb"));
  EXPECT_THAT(bench.step(bench.gave_back(1, 3)), ElementsAre("status 3 CANCELLED before 1"));
  EXPECT_THAT(bench.step(bench.job(4, "c", 1, 1, "bbbb")), IsEmpty());  // one child at a time
  EXPECT_THAT(bench.step(bench.done(1, 2)), ElementsAre("status 2 OK done to 1 (1)"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::ok)), ElementsAre("start 2 bbbb"));
  EXPECT_THAT(bench.step(bench.ready(2)), ElementsAre("give 2 <- job 4"));
}

TEST(Worker, GivesBackJobsForBytesThatDoNotServe) {
  WorkerBench bench;
  bench.open();

  EXPECT_THAT(bench.step(bench.job(1, "a", 1, 1, "old")), ElementsAre("status 1 CANCELLED before 1"));
}

TEST(Worker, SaysWhyWhenThePluginGoes) {
  WorkerBench bench;
  bench.open_with_child();

  EXPECT_THAT(bench.step(bench.serves("", "no plugin 'x' in the plugin directories")),
              ElementsAre("stop 1", "no credit: no plugin 'x' in the plugin directories"));
  EXPECT_THAT(bench.step(bench.job(2)), ElementsAre("status 2 SETUP before 1"));
}

TEST(Worker, KillsAChildThatDoesNotStop) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.serves("bbbb"));

  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + 5 * ns_per_s);
  EXPECT_THAT(bench.after_ms(5'000), ElementsAre("kill 1 HUNG"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::hung)), IsEmpty());
}

TEST(Worker, DrainFinishesWhatRunsAndGivesBackTheRest) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"), bench.job(3, "b"));

  EXPECT_THAT(bench.step(DrainAsked{}),
              ElementsAre("take back 1", "stop 1", "no credit: this host is draining"));
  EXPECT_THAT(bench.step(bench.gave_back(1, 3)), ElementsAre("status 3 CANCELLED before 1"));
  EXPECT_THAT(bench.step(bench.job(4)), ElementsAre("status 4 CANCELLED before 1"));
  EXPECT_THAT(bench.step(bench.done(1, 2)), ElementsAre("status 2 OK done to 1 (1)"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::ok)), ElementsAre("drained"));
  EXPECT_THAT(bench.step(TimePassed{}), IsEmpty());
}

TEST(Worker, DrainDoesNotWaitForEver) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "slow"));
  bench.step(DrainAsked{});

  EXPECT_EQ(bench.worker.next_deadline(), bench.now_ns + drain_max_ms * ns_per_ms);
  EXPECT_THAT(bench.after_ms(drain_max_ms), ElementsAre("cancel 1"));
  EXPECT_THAT(bench.after_ms(200), ElementsAre("kill 1 CANCELLED"));
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::cancelled, {bench.in_work(2, 1)})),
              ElementsAre("status 2 CANCELLED in 1", "drained"));
}

TEST(Worker, DrainsAtOnceWithoutChildren) {
  WorkerBench bench;
  bench.open();

  EXPECT_THAT(bench.step(DrainAsked{}), ElementsAre("no credit: this host is draining", "drained"));
}

TEST(Worker, FencesItselfWhenTheLeaseIsOver) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"), bench.job(3, "b"));
  bench.now_ns += 990 * ns_per_s;
  bench.step(bench.sees(1, 2, 1, bench.now_ns, bench.now_ns));
  EXPECT_THAT(bench.step(LeaseRenewed{bench.now_ns + ns_per_s}), IsEmpty());  // an old answer changes nothing

  bench.now_ns += 10 * ns_per_s;
  bench.step(bench.sees(1, 2, 1, bench.now_ns, bench.now_ns));
  EXPECT_THAT(bench.step(bench.job(4)), ElementsAre("status 4 CANCELLED before 1"));
  EXPECT_THAT(
      bench.step(bench.ended(1, OutcomeKind::external_kill, {bench.in_work(2, 1), bench.untouched(3)})),
      ElementsAre("status 2 EXTERNAL_KILL in 1", "status 3 CANCELLED before 1"));
  EXPECT_THAT(bench.step(LeaseRenewed{bench.now_ns + 10 * ns_per_s}), ElementsAre("credit 64 aaaa"));
}

TEST(Worker, KillsItsChildrenWhenTheLeaseIsOver) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2));

  EXPECT_THAT(bench.after_ms(1'000'000),
              ElementsAre("kill 1 CANCELLED", HasSubstr("no credit: this host has not heard")));
}

TEST(Worker, EndsEveryJobOfALostSessionBeforeItIsQuietAndTellsNobody) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(bench.job(2, "a"));

  EXPECT_THAT(bench.step(SessionEnded{}), ElementsAre("kill 1 CANCELLED"));
  EXPECT_THAT(bench.step(bench.done(1, 2)), IsEmpty());
  EXPECT_THAT(bench.step(bench.job(3)), IsEmpty());
  EXPECT_THAT(bench.step(bench.ended(1, OutcomeKind::cancelled, {})), ElementsAre("quiet"));
  EXPECT_THAT(bench.step(SessionStarted{}), ElementsAre("credit 64 aaaa"));
  EXPECT_THAT(bench.step(bench.job(4)), ElementsAre("start 2 aaaa"));
}

TEST(Worker, KeepsIdleChildrenOverANewSession) {
  WorkerBench bench;
  bench.open_with_child();

  EXPECT_THAT(bench.step(SessionEnded{}), ElementsAre("quiet"));
  bench.step(SessionStarted{});
  EXPECT_THAT(bench.step(bench.job(2)), ElementsAre("give 1 <- job 2"));
}

TEST(Worker, GivesTheSameActionsForTheSameInputs) {
  const auto trace = [] {
    WorkerBench bench(3);
    bench.open();
    std::vector<std::string> lines;
    const auto note = [&](std::vector<std::string> more) {
      lines.insert(lines.end(), more.begin(), more.end());
    };
    for (JobId id = 1; id < 40; ++id) {
      note(bench.step(bench.job(id, "s" + std::to_string(id))));
      note(bench.step(bench.ready(static_cast<ChildId>(id % 4))));
      note(bench.step(bench.done(static_cast<ChildId>(id % 3), id / 2)));
      note(bench.after_ms(3));
    }
    return lines;
  };
  EXPECT_EQ(trace(), trace());
  EXPECT_GT(trace().size(), 20u);
}

}  // namespace
}  // namespace cape::host
