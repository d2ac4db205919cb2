// A lambda in Go, built as a c-shared library, in the real sandbox: its runtime needs nothing that the
// profile lacks.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

class GoLambda : public LambdaChildTest {
 protected:
  wire::JobStatus next(const std::string& payload) {
    wire::RunJob job = job_of(++jobs_, "s", {payload});
    job.outputs_bytes_max = 1 << 20;
    give(job);
    const auto done = wait_done(1);
    return done.empty() ? wire::JobStatus{} : done.front().status;
  }
  std::string output_of(const std::string& payload) {
    const wire::JobStatus status = next(payload);
    return status.outputs.size() == 1 && status.outputs[0] ? *status.outputs[0]
                                                           : "no output: " + status.end.reason;
  }

 private:
  JobId jobs_ = 0;
};

TEST_F(GoLambda, ReadsItsPayloadAndEmits) {
  start("go_guest");

  EXPECT_EQ(output_of("some text"), "some text");
  EXPECT_EQ(next("").end.kind, OutcomeKind::ok);
}

TEST_F(GoLambda, GoroutinesTimersAndTheCollectorWork) {
  start("go_guest");

  EXPECT_EQ(output_of("work"), std::to_string(64 << 20));
  EXPECT_EQ(output_of("spin"), "done") << "interrupted by the signals of its own scheduler";
}

TEST_F(GoLambda, PanicsAreRetriesAndTheProcessGoesOn) {
  start("go_guest");

  const wire::JobStatus panicked = next("panic");
  EXPECT_EQ(panicked.end.kind, OutcomeKind::retry);
  EXPECT_THAT(panicked.end.reason, HasSubstr("panic: on purpose"));
  EXPECT_THAT(next("nil").end.reason, HasSubstr("nil pointer dereference")) << "its own handler of SIGSEGV";
  EXPECT_EQ(output_of("on"), "on");
}

TEST_F(GoLambda, PanicThatNobodyRecoversEndsTheProcess) {
  start("go_guest");
  give(job_of(1, "s", {"die"}));

  const ChildEnded ended = wait_end();

  // Go prints the panic and raises SIGABRT; its manual promises no more than that the program ends.
  EXPECT_TRUE(ended.end.kind == OutcomeKind::signaled || ended.end.kind == OutcomeKind::exited)
      << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr("event 1 of 's'"));
}

TEST_F(GoLambda, CannotOpenFiles) {
  start("go_guest");

  EXPECT_EQ(output_of("file"), "true");
}

}  // namespace
}  // namespace cape::child
