// Flush, batches and bounds of a lambda's child: the real runner, plugins that do as told.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

TEST_F(LambdaChildTest, FailedFlushTakesTheSuccessOfItsBatch) {
  start("acts_flush");
  give(job_of(1, "a", {"skip", "flush:2", "ok"}));

  const auto done = wait_done(1);

  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::retry);
  EXPECT_THAT(done.at(0).status.end.reason, HasSubstr("flush: the disk is full"));
  EXPECT_EQ(done.at(0).status.done_to, 1) << "the skipped event stays done";
  EXPECT_EQ(done.at(0).status.failed_sequence, 2);
}

TEST_F(LambdaChildTest, CrashBetweenFlushesCountsNoAttemptAndAsksForSingleRuns) {
  start("acts_flush");
  give(job_of(1, "a", {"ok", "abort"}));

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.left.at(0).events_done, 0u) << "nothing of it was flushed";
  EXPECT_FALSE(ended.left.at(0).started);
  EXPECT_EQ(ended.rerun_singly, 1u);
}

TEST_F(LambdaChildTest, SinglyRunJobNamesTheEventEvenWithFlush) {
  start("acts_flush");
  give(job_of(1, "a", {"emit:x", "abort"}), true);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.left.at(0).done_to, 1);
  EXPECT_EQ(ended.left.at(0).failed_sequence, 2);
  EXPECT_TRUE(ended.left.at(0).started);
  EXPECT_EQ(ended.rerun_singly, 0u);
}

TEST_F(LambdaChildTest, CrashInFlushOfOneEventBlamesIt) {
  start("acts_flush");
  give(job_of(1, "a", {"flush:99"}));

  const ChildEnded ended = wait_end();

  EXPECT_THAT(ended.end.reason, HasSubstr("in the flush of a batch from event 1 of 'a'"));
  EXPECT_TRUE(ended.left.at(0).started);
}

TEST_F(LambdaChildTest, OrderedBatchGetsRunsOfAJob) {
  start("acts_batch");
  give(job_of(1, "a", std::vector<std::string>(100, "calls")));

  const auto done = wait_done(1);

  ASSERT_EQ(done.at(0).outputs.size(), 100u);
  EXPECT_EQ(done.at(0).outputs[0], "64");
  EXPECT_EQ(done.at(0).outputs[99], "36");
}

TEST_F(LambdaChildTest, RefusedOutputEndsItsEventInABatchAndThoseBeforeItStand) {
  start("acts_batch");
  give(job_of(1, "a", {"emit:kept", "careless:1048577", "emit:later"}));

  const auto done = wait_done(1);

  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::limit);
  EXPECT_EQ(done.at(0).status.failed_sequence, 2);
  EXPECT_THAT(done.at(0).outputs, ElementsAre("kept"));
  EXPECT_EQ(done.at(0).fault, LambdaFault::output_lost);
}

TEST_F(LambdaChildTest, RefusedOutputEndsItsEventBeforeAFlush) {
  start("acts_flush");
  give(job_of(1, "a", {"careless:1048577"}), true);

  EXPECT_EQ(wait_done(1).at(0).status.end.kind, OutcomeKind::limit);
}

TEST_F(LambdaChildTest, BatchWithoutOrderGetsTheEventsOfAJobOneByOne) {
  start("acts_batch_of_one");
  give(job_of(1, "a", {"calls", "calls", "careless:1048577"}));

  const auto done = wait_done(1);

  EXPECT_THAT(done.at(0).outputs, ElementsAre("1", "1"));
  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::limit);
}

TEST_F(LambdaChildTest, CrashInABatchOfOneNamesItsEvent) {
  start("acts_batch_of_one");
  give(job_of(1, "a", {"ok", "abort", "ok"}));

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.left.at(0).done_to, 1);
  EXPECT_TRUE(ended.left.at(0).started);
  EXPECT_EQ(ended.rerun_singly, 0u);
}

TEST_F(LambdaChildTest, SinglyRunEventsOfABatchGoToProcess) {
  start("acts_batch_of_one");
  give(job_of(1, "a", {"calls", "emit:by process"}), true);

  EXPECT_THAT(wait_done(1).at(0).outputs, ElementsAre("", "by process"));
}

TEST_F(LambdaChildTest, CrashInACallOfManyCountsNoAttemptAndSingleRunsFindTheEvent) {
  start("acts_batch");
  const wire::RunJob job = job_of(1, "a", {"ok", "ok", "abort", "ok"});
  give(job);

  const ChildEnded together = wait_end();
  EXPECT_FALSE(together.left.at(0).started);
  EXPECT_EQ(together.rerun_singly, 1u);

  start("acts_batch");
  give(job, true);
  const ChildEnded alone = wait_end();
  EXPECT_EQ(alone.left.at(0).done_to, 2);
  EXPECT_TRUE(alone.left.at(0).started);
}

TEST_F(LambdaChildTest, JobLargerThanTheRingRunsInParts) {
  start("acts");
  give(job_of(1, "a", std::vector<std::string>(10, "size:" + std::string(600'000, 'x'))));

  const auto done = wait_done(1);

  EXPECT_GE(done.at(0).status.events_done, 1u);
  EXPECT_LT(done.at(0).status.events_done, 10u);
  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::cancelled);
  EXPECT_FALSE(done.at(0).status.started);
  EXPECT_EQ(done.at(0).outputs.at(0), "600005");
}

TEST_F(LambdaChildTest, OutputsBeyondTheRingAreAllDelivered) {
  start("acts");
  for (JobId id = 1; id <= 20; ++id) give(job_of(id, "a", std::vector<std::string>(20, "fill:65536")));

  const auto done = wait_done(20);

  ASSERT_EQ(done.size(), 20u);
  for (const ChildJobDone& job : done) {
    EXPECT_EQ(job.status.events_done, 20u);
    ASSERT_EQ(job.outputs.size(), 20u);
    EXPECT_EQ(job.outputs.back(), std::string(65536, 'f'));
  }
}

TEST_F(LambdaChildTest, JobWhoseOutputsFillABatchEndsEarlyWithTheRestUntouched) {
  start("acts");
  give(job_of(1, "a", std::vector<std::string>(20, "fill:1048576")));

  const auto done = wait_done(1);

  EXPECT_EQ(done.at(0).status.events_done, 17u) << "16 MiB, and the event that went over it";
  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::cancelled);
  EXPECT_FALSE(done.at(0).status.started);
}

TEST_F(LambdaChildTest, FloodOfLogLinesIsCutAndCountedAndPrintable) {
  start("acts");
  give(job_of(1, "a", {"log:10000"}));
  poll_until<LambdaReport>(*child_, at_least<ChildJobDone, LambdaReport>(1));
  give(job_of(2, "a", {"ok"}));
  child_->stop();

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_LT(pick<ChildLog>(reports).size(), 1000u);
}

}  // namespace
}  // namespace cape::child
