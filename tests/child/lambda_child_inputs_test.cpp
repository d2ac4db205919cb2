// What other lambdas gave for an event comes with it, and a job's outputs leave with its status.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

OutputPtr output(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

wire::RunJob job_with_inputs(JobId id, std::size_t events) {
  wire::RunJob job = job_of(id, "s", std::vector<std::string>(events, "inputs"));
  job.inputs = {{.lambda = "thumbnail", .outputs = {}}, {.lambda = "words", .outputs = {}}};
  for (std::size_t i = 0; i < events; ++i) {
    job.inputs[0].outputs.push_back(output("t" + std::to_string(i + 1)));
    job.inputs[1].outputs.push_back(i % 2 == 0 ? nullptr : output("w" + std::to_string(i + 1)));
  }
  return job;
}

std::vector<std::string> texts(const std::vector<OutputPtr>& outputs) {
  std::vector<std::string> texts;
  for (const OutputPtr& one : outputs) texts.push_back(one ? *one : "");
  return texts;
}

TEST_F(LambdaChildTest, EachEventComesWithTheInputsThatBelongToIt) {
  start("acts");
  give(job_with_inputs(1, 3));
  give(job_of(2, "s", {"inputs"}));

  const auto done = wait_done(2);

  ASSERT_EQ(done.size(), 2u);
  EXPECT_THAT(done[0].outputs,
              ElementsAre("thumbnail=t1;words=;", "thumbnail=t2;words=w2;", "thumbnail=t3;words=;"));
  EXPECT_THAT(done[1].outputs, ElementsAre("none"));
}

TEST_F(LambdaChildTest, EventsOfOneCallKeepTheirInputsApart) {
  start("acts_batch");
  give(job_with_inputs(1, 40));

  const auto done = wait_done(1);

  ASSERT_EQ(done.at(0).outputs.size(), 40u);
  EXPECT_EQ(done[0].outputs[39], "thumbnail=t40;words=w40;");
  EXPECT_EQ(done[0].outputs[38], "thumbnail=t39;words=;");
}

TEST_F(LambdaChildTest, OutputsThatAreWantedLeaveWithTheStatus) {
  start("acts");
  wire::RunJob job = job_of(1, "s", {"emit:a", "skip", "emit:b"});
  job.outputs_bytes_max = 100;
  give(job);

  const auto done = wait_done(1);

  EXPECT_THAT(texts(done.at(0).status.outputs), ElementsAre("a", "", "b"));
  EXPECT_THAT(done[0].outputs, ElementsAre());
}

TEST_F(LambdaChildTest, JobEndsBehindTheEventThatFillsItsOutputs) {
  start("acts");
  wire::RunJob job = job_of(1, "s", {"emit:aaaa", "emit:bbbbbb", "emit:c"});
  job.outputs_bytes_max = 10;
  give(job);

  const wire::JobStatus status = wait_done(1).at(0).status;

  EXPECT_EQ(status.events_done, 2u);
  EXPECT_EQ(status.end.kind, OutcomeKind::cancelled);
  EXPECT_EQ(status.failed_sequence, 3);
  EXPECT_FALSE(status.started);
  EXPECT_THAT(texts(status.outputs), ElementsAre("aaaa", "bbbbbb"));
}

TEST_F(LambdaChildTest, OutputsOfEventsThatWereDoneSurviveTheirChild) {
  start("acts");
  wire::RunJob job = job_of(1, "s", {"emit:a", "emit:b", "segv"});
  job.outputs_bytes_max = 100;
  give(job);

  const ChildEnded ended = wait_end();

  ASSERT_EQ(ended.left.size(), 1u);
  EXPECT_EQ(ended.left[0].events_done, 2u);
  EXPECT_THAT(texts(ended.left[0].outputs), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace cape::child
