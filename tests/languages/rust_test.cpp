// A lambda in Rust, built by rustc over plugin_api/rust/cape.rs without any crate, in the real sandbox.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

class RustLambda : public LambdaChildTest {
 protected:
  // What became of one event with this payload.
  wire::JobStatus outcome_of(const std::string& payload, const std::string& config = "{}") {
    start("rust_guest", config);
    return next(job_of(1, "s", {payload}));
  }
  wire::JobStatus next(wire::RunJob job) {
    job.outputs_bytes_max = 1 << 20;
    give(job);
    const auto done = wait_done(1);
    return done.empty() ? wire::JobStatus{} : done.front().status;
  }
  std::string output_of(const wire::JobStatus& status) {
    return status.outputs.size() == 1 && status.outputs[0] ? *status.outputs[0] : status.end.reason;
  }
};

TEST_F(RustLambda, ReadsTheEventAndEmits) {
  EXPECT_EQ(output_of(outcome_of("where")), "history audit write s 1");
}

TEST_F(RustLambda, LogsAndReadsItsConfig) {
  start("rust_guest", R"({"greeting":"good day"})");
  give(job_of(1, "s", {"x"}));

  const auto lines =
      pick<ChildLog>(poll_until<LambdaReport>(*child_, at_least<ChildJobDone, LambdaReport>(1)));

  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "good day s");
}

TEST_F(RustLambda, PanicIsARetryWithItsWordsAndTheProcessGoesOn) {
  const wire::JobStatus panicked = outcome_of("panic");

  EXPECT_EQ(panicked.end.kind, OutcomeKind::retry);
  EXPECT_THAT(panicked.end.reason, HasSubstr("panic: at s"));
  EXPECT_THAT(next(job_of(2, "s", {"index"})).end.reason, HasSubstr("range start index 5 out of range"));
  EXPECT_EQ(output_of(next(job_of(3, "s", {"where"}))), "history audit write s 1") << "in the same process";
}

TEST_F(RustLambda, OutcomesReachTheHostWithTheirReasons) {
  const wire::JobStatus failed = outcome_of("fail");

  EXPECT_EQ(failed.end.kind, OutcomeKind::failed);
  EXPECT_THAT(failed.end.reason, HasSubstr("on purpose"));
  EXPECT_EQ(next(job_of(2, "s", {"skip"})).end.kind, OutcomeKind::ok) << "skipped counts as done";
  EXPECT_EQ(next(job_of(3, "s", {"twice"})).end.kind, OutcomeKind::bad_input) << "what emit returned";
}

TEST_F(RustLambda, ErrorOfTheStandardLibraryIsARetryWithItsText) {
  const wire::JobStatus status = outcome_of("io");

  EXPECT_EQ(status.end.kind, OutcomeKind::retry);
  EXPECT_THAT(status.end.reason, HasSubstr("os error"));
}

TEST_F(RustLambda, GetsWhatAnotherLambdaGave) {
  start("rust_guest");
  wire::RunJob job = job_of(1, "s", {"input"});
  job.inputs = {{.lambda = "words", .outputs = {std::make_shared<const std::string>("given")}}};

  EXPECT_EQ(output_of(next(job)), "given");
}

TEST_F(RustLambda, ThreadsRandomnessClocksAndAllocationsWork) {
  EXPECT_EQ(output_of(outcome_of("work")), "4 4194304 true");
}

TEST_F(RustLambda, FlushDecidesOverTheBatch) {
  const wire::JobStatus status = outcome_of("flush");

  EXPECT_EQ(status.end.kind, OutcomeKind::retry);
  EXPECT_THAT(status.end.reason, HasSubstr("flush says no"));
}

TEST_F(RustLambda, WrongConfigSwitchesItOffWithTheReason) {
  start("rust_guest", R"({"port":70000})");

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.cause, OutcomeKind::bad_config);
  EXPECT_THAT(ended.end.reason, HasSubstr("config key 'port' = \"70000\" is wrong"));
}

TEST_F(RustLambda, PanicInCreateIsTriedAgain) {
  start("rust_guest", R"({"panic":true})");

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_NE(ended.cause, OutcomeKind::bad_config);
  EXPECT_THAT(ended.end.reason, HasSubstr("panic: in create"));
}

}  // namespace
}  // namespace cape::child
