// Guests that turn on what they run in: descriptors, maps, stacks, signals, words, names of functions, and
// the room they were given. Each costs its own child at most, and is named.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

class ZooTrick : public LambdaChildTest {
 protected:
  // The end of a child that runs `payload` and, in the same child, an event after it.
  ChildEnded end_of(const std::string& payload) {
    start("tricks");
    give(job_of(1, "s", {"fine", payload, "fine"}));
    return wait_end();
  }
  void expect_lives_on() {
    give(job_of(2, "t", {"emit"}));
    const auto done = wait_done(1);
    ASSERT_EQ(done.size(), 1u);
    EXPECT_THAT(done[0].outputs, ElementsAre("neighbour"));
  }
};

TEST_F(ZooTrick, ClosingEveryDescriptorEndsTheChildAtMost) {
  start("tricks");
  give(job_of(1, "s", {"close_everything"}));

  const Reports reports = wait_any_end();

  if (!has_layer(reports, "seccomp")) {
    const auto ended = pick<ChildEnded>(reports);
    EXPECT_EQ((ended.empty() ? wait_end() : ended[0]).end.kind, OutcomeKind::exited)
        << "nothing can reach it any more";
    return;
  }
  // What tells of the child's life stays open, and it lives on.
  ASSERT_EQ(pick<ChildJobDone>(reports).size(), 1u);
  EXPECT_EQ(pick<ChildJobDone>(reports)[0].status.app_code, 2) << "the doorbell and the sign of life";
  expect_lives_on();
}

// By its control group, or, where there is none, by whoever looks at what it uses now and then.
TEST_F(ZooTrick, MemoryThatWasTakenPastItsCountEndsTheChild) {
  start("tricks");
  give(job_of(1, "s", {"hoard"}));

  const Reports reports = poll_until<LambdaReport>(*child_, [&](const Reports& all) {
    child_->usage();
    return !pick<ChildEnded>(all).empty();
  });

  ASSERT_EQ(pick<ChildEnded>(reports).size(), 1u);
  const ChildEnded ended = pick<ChildEnded>(reports)[0];
  EXPECT_EQ(ended.end.kind, OutcomeKind::oom) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr("limits.memory"));
}

TEST_F(ZooTrick, StacksThatGrowAreRefused) {
  start("tricks");
  give(job_of(1, "s", {"grow_down"}));

  const Reports reports = wait_any_end();

  ASSERT_EQ(pick<ChildJobDone>(reports).size(), 1u);
  if (!has_layer(reports, "seccomp")) GTEST_SKIP() << "the filters refuse them";
  EXPECT_EQ(pick<ChildJobDone>(reports)[0].status.app_code, EPERM);
}

TEST_F(ZooTrick, AnswersThatAreUnmappedEndTheChildInThatEvent) {
  const ChildEnded ended = end_of("unmap");

  EXPECT_EQ(ended.end.kind, OutcomeKind::signaled) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("SIGSEGV"), HasSubstr("in event 2 of 's'")));
  ASSERT_EQ(ended.left.size(), 1u);
  EXPECT_EQ(ended.left[0].done_to, 1);
}

// What it then answers reaches nobody. Nothing moves, so its host gives it up as hung.
TEST_F(ZooTrick, AnswersThatGoElsewhereAreNone) {
  start("tricks");
  give(job_of(1, "s", {"fine", "remap", "fine"}));
  wait_running(1, 2);
  child_->kill({OutcomeKind::hung, "no answer came"});

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_TRUE(pick<ChildJobDone>(reports).empty());
  const ChildEnded ended = pick<ChildEnded>(reports).at(0);
  EXPECT_EQ(ended.end.kind, OutcomeKind::hung) << ended.end.reason;
  EXPECT_EQ(ended.left.at(0).done_to, 1);
}

TEST_F(ZooTrick, OverflowWithoutTheStackForLastWordsIsStillNamed) {
  const ChildEnded ended = end_of("overflow");

  EXPECT_EQ(ended.end.kind, OutcomeKind::signaled) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("SIGSEGV"), HasSubstr("in event 2 of 's'")));
}

TEST_F(ZooTrick, ServicesCalledFromASignalHandlerServe) {
  start("tricks");
  give(job_of(1, "s", {"handler"}));

  const auto done = wait_done(1);

  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].status.end.kind, OutcomeKind::ok) << done[0].status.end.reason;
  EXPECT_THAT(done[0].outputs, ElementsAre("from a handler"));
  expect_lives_on();
}

// A handler that finds its own thread in the midst of a service may wait for itself for ever.
TEST_F(ZooTrick, SignalsInTheMidstOfServicesHangThatChildAtMost) {
  start("tricks");
  give(job_of(1, "s", {"interrupt"}));
  wait_running(1, 1);
  child_->kill({OutcomeKind::hung, "no end in sight"});

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::hung) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr("in event 1 of 's'"));
  EXPECT_EQ(child_->pid(), 0);
}

TEST_F(ZooTrick, ForeignExceptionIsARetry) {
  const ChildJobDone done = run("tricks", "foreign");

  EXPECT_EQ(done.status.end.kind, OutcomeKind::retry);
  EXPECT_THAT(done.status.end.reason, HasSubstr("uncaught exception of an unknown type"));
  expect_lives_on();
}

TEST_F(ZooTrick, WhatWaitsForTheExitOfTheProcessNeverRuns) {
  start("tricks");
  give(job_of(1, "s", {"at_exit"}));
  ASSERT_EQ(wait_done(1).size(), 1u);
  child_->stop();

  EXPECT_EQ(wait_end().end.kind, OutcomeKind::ok);
}

// Its words say that it is awake, so nobody rings, and that it lives. Yet the event that waits is known to
// wait, and the beats of a thread are no beats of that event.
TEST_F(ZooTrick, ChildThatMakesItselfDeafIsSeenToHang) {
  start("tricks");
  give(job_of(1, "s", {"deafen"}));
  ASSERT_EQ(wait_done(1).size(), 1u);
  const std::int64_t give_up_ns = boot_ns() + patience_ms * ns_per_ms;
  Reports reports;
  LambdaChild::Running seen;
  // While it has not fallen asleep it finds its jobs by itself.
  const auto hangs = [&](JobId job) {
    return seen.job == job && seen.seen_heartbeat_ns == seen.seen_started_ns &&
           boot_ns() - seen.seen_started_ns > 1'200 * ns_per_ms;
  };
  for (JobId id = 2; !hangs(id - 1); child_->poll(reports)) {
    ASSERT_LT(boot_ns(), give_up_ns) << "the event that waits is not seen to";
    if (child_->jobs_out() == 0) {
      wait_readable(child_->fd(), boot_ns() + 20 * ns_per_ms);
      ASSERT_TRUE(child_->submit(job_of(id++, "t", {"fine"}), false));
    }
    child_->wake();
    seen = child_->running();
  }
  const LambdaChild::Running later = child_->running();
  EXPECT_EQ(later.seen_started_ns, seen.seen_started_ns) << "its timeout does not begin anew";
  EXPECT_EQ(later.seen_heartbeat_ns, seen.seen_started_ns);
  child_->kill({OutcomeKind::hung, "no heartbeat"});

  EXPECT_EQ(wait_end().end.kind, OutcomeKind::hung);
}

TEST_F(ZooTrick, FunctionsBroughtAlongUnderNamesOfOthersAreNotCalled) {
  start("interposes");
  for (JobId id = 1; id <= 3; ++id) {
    give(job_of(id, "s", {"fine"}));
    const auto done = wait_done(1);
    ASSERT_EQ(done.size(), 1u);
    EXPECT_THAT(done[0].outputs, ElementsAre("done"));
  }
  child_->stop();
  EXPECT_EQ(wait_end().end.kind, OutcomeKind::ok);

  start(spec_of("interposes", ChildKind::inspect));
  EXPECT_THAT(wait_end().end.reason, AllOf(HasSubstr("it defines"), HasSubstr("mmap")))
      << "and it is not even taken in";
}

// ---- the room of an output that is written in place

TEST_F(ZooTrick, WriteThatStopsShortOfTheGuardPageIsLimit) {
  start("tricks");
  give(job_of(1, "a", {"emit"}));
  give(job_of(2, "s", {"past_by_one"}));
  give(job_of(3, "b", {"emit"}));

  const auto done = wait_done(3);

  ASSERT_EQ(done.size(), 3u);
  EXPECT_THAT(done[0].outputs, ElementsAre("neighbour"));
  EXPECT_EQ(done[1].status.end.kind, OutcomeKind::limit) << done[1].status.end.reason;
  EXPECT_TRUE(done[1].outputs.empty());
  EXPECT_THAT(done[2].outputs, ElementsAre("neighbour"));
}

class ZooGuardPage : public ZooTrick, public testing::WithParamInterface<const char*> {};

TEST_P(ZooGuardPage, EndsTheWriteAndTheOutputsBeforeAreWhole) {
  start("tricks");
  give(job_of(1, "a", {"emit"}));
  give(job_of(2, "s", {"just_fits", GetParam(), "emit"}));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  const auto done = pick<ChildJobDone>(reports);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_THAT(done[0].outputs, ElementsAre("neighbour"));
  const ChildEnded ended = pick<ChildEnded>(reports).at(0);
  EXPECT_EQ(ended.end.kind, OutcomeKind::signaled) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("SIGSEGV"), HasSubstr("in event 2 of 's'")));
  ASSERT_EQ(ended.left.size(), 1u);
  EXPECT_EQ(ended.left[0].done_to, 1);
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooGuardPage,
                         testing::Values("past_by_page", "past_nothing", "past_whole_page"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace cape::child
