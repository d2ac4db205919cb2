// A lambda's child from end to end: the real runner in the real sandbox, with plugins that do as told.
#include <poll.h>

#include <sstream>

#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

TEST_F(LambdaChildTest, RingsWhenItIsReadyThoughNobodyHasLookedAtItYet) {
  start("acts");

  Reports reports;
  while (pick<ChildReady>(reports).empty()) {
    pollfd heard{.fd = child_->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&heard, 1, patience_ms), 1);
    child_->poll(reports);
  }
}

TEST_F(LambdaChildTest, TellsItsSandboxAndManifestWhenReady) {
  start("acts");

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildReady, LambdaReport>(1));

  const ChildReady ready = pick<ChildReady>(reports).at(0);
  EXPECT_EQ(ready.manifest.id, "acts");
  EXPECT_EQ(ready.manifest.version, "1.0.0");
  EXPECT_FALSE(ready.manifest.has_flush);
  EXPECT_THAT(ready.sandbox.layers, HasSubstr("process"));
}

TEST_F(LambdaChildTest, RunsJobsInOrderAndEventsWithAllTheyCarry) {
  start("acts");
  wire::RunJob job = job_of(77, "user-1", {"tell", "tell"});
  job.attempt = 3;
  job.may_repeat = true;
  job.late = true;
  give(job);
  give(job_of(78, "user-2", {"skip", "ok", "size:xyz"}));

  const auto done = wait_done(2);

  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].status.end.kind, OutcomeKind::ok);
  EXPECT_EQ(done[0].status.done_to, 2);
  EXPECT_THAT(done[0].outputs, ElementsAre("history/user-1/1@1000 type fence=77 attempt=3 flags=5 size=1",
                                           "history/user-1/2@1001 type fence=77 attempt=0 flags=5 size=1"));
  EXPECT_EQ(done[1].status.job, 78u);
  EXPECT_EQ(done[1].status.events_done, 3u);
  EXPECT_THAT(done[1].outputs, ElementsAre("", "", "8"));
  EXPECT_EQ(child_->jobs_out(), 0u);
}

TEST_F(LambdaChildTest, StopsAJobAtTheFirstFailureAndGoesOnWithTheNext) {
  start("acts");
  give(job_of(1, "a", {"ok", "fail:no such user", "ok"}));
  give(job_of(2, "b", {"ok"}));

  const auto done = wait_done(2);

  const wire::JobStatus& failed = done.at(0).status;
  EXPECT_EQ(failed.end.kind, OutcomeKind::failed);
  EXPECT_EQ(failed.end.reason, "no such user");
  EXPECT_EQ(failed.app_code, 7);
  EXPECT_EQ(failed.done_to, 1);
  EXPECT_EQ(failed.failed_sequence, 2);
  EXPECT_TRUE(failed.started);
  EXPECT_EQ(done.at(1).status.end.kind, OutcomeKind::ok);
}

TEST_F(LambdaChildTest, StampsStartAndEndWithinTheTimeItHadTheJob) {
  start("acts");
  const std::int64_t before_ns = boot_ns();
  give(job_of(1, "a", {"ok"}));

  const auto done = wait_done(1);

  EXPECT_GE(done.at(0).status.first_start_ns, before_ns);
  EXPECT_GE(done.at(0).status.end_ns, done.at(0).status.first_start_ns);
  EXPECT_LE(done.at(0).status.end_ns, boot_ns());
}

struct StatusCase {
  const char* payload;
  OutcomeKind kind;
  const char* reason;
};
std::string name_case(const testing::TestParamInfo<StatusCase>& tested) {
  std::string name = tested.param.payload;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
class LambdaStatus : public LambdaChildTest, public testing::WithParamInterface<StatusCase> {};

TEST_P(LambdaStatus, BecomesItsOutcome) {
  const ChildJobDone done = run("acts", GetParam().payload);

  EXPECT_EQ(done.status.end.kind, GetParam().kind);
  EXPECT_THAT(done.status.end.reason, HasSubstr(GetParam().reason));
}
INSTANTIATE_TEST_SUITE_P(
    All, LambdaStatus,
    testing::Values(StatusCase{"status:2", OutcomeKind::retry, "RETRY without a reason"},
                    StatusCase{"status:-2", OutcomeKind::bad_input, ""},
                    StatusCase{"status:-8", OutcomeKind::internal, ""},
                    StatusCase{"status:77", OutcomeKind::failed, "returned 77, which is not a status"},
                    StatusCase{"status:-102", OutcomeKind::failed, "returned -102, which is not a status"},
                    StatusCase{"status:3", OutcomeKind::failed, "returned 3, which is not a status"},
                    StatusCase{"emit_twice", OutcomeKind::bad_input, "a second output"},
                    StatusCase{"emit_large:1048577", OutcomeKind::limit, "limits.output"},
                    StatusCase{"careless:1048576", OutcomeKind::ok, ""},
                    StatusCase{"careless:1048577", OutcomeKind::limit,
                               "its output of 1048577 bytes is over limits.output, 1048576 bytes"},
                    StatusCase{"careless_reserve:1048577", OutcomeKind::limit, "over limits.output"},
                    StatusCase{"careless_twice", OutcomeKind::bad_input, "a second output"},
                    StatusCase{"careless_index", OutcomeKind::bad_input, "no event of the call"},
                    StatusCase{"less:1048577", OutcomeKind::ok, ""},
                    StatusCase{"reserve", OutcomeKind::ok, ""}),
    name_case);

TEST_F(LambdaChildTest, TurnsUncaughtExceptionsIntoRetryWithTheirWords) {
  start("throws");
  give(job_of(1, "a", {"runtime_error"}));
  give(job_of(2, "b", {"bad_alloc"}));
  give(job_of(3, "c", {"int"}));
  give(job_of(4, "d", {"fine"}));

  const auto done = wait_done(4);

  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::retry);
  EXPECT_THAT(done.at(0).status.end.reason, HasSubstr("the index is locked"));
  EXPECT_EQ(done.at(1).status.end.kind, OutcomeKind::no_memory);
  EXPECT_EQ(done.at(2).status.end.kind, OutcomeKind::retry);
  EXPECT_EQ(done.at(3).status.end.kind, OutcomeKind::ok);
}

// ---- ends

TEST_F(LambdaChildTest, NamesTheEventThatCrashedAndKeepsWhatWasDoneBefore) {
  start("acts");
  give(job_of(1, "a", {"ok"}));
  give(job_of(2, "b", {"ok", "emit:kept", "segv", "ok"}));
  give(job_of(3, "c", {"ok"}));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_EQ(pick<ChildJobDone>(reports).size(), 1u);
  const ChildEnded ended = pick<ChildEnded>(reports).at(0);
  EXPECT_EQ(ended.end.kind, OutcomeKind::signaled);
  EXPECT_THAT(ended.end.reason,
              AllOf(HasSubstr(
                  "lambda 'acts' (acts.so, aaaaaaaa): SIGNALED in event 3 of 'b': SIGSEGV at address 0x8")));
  EXPECT_TRUE(ended.had_started_an_event);
  ASSERT_EQ(ended.left.size(), 2u);
  EXPECT_EQ(ended.left[0].job, 2u);
  EXPECT_EQ(ended.left[0].done_to, 2);
  EXPECT_EQ(ended.left[0].failed_sequence, 3);
  EXPECT_TRUE(ended.left[0].started);
  EXPECT_EQ(ended.left[0].end.kind, OutcomeKind::signaled);
  EXPECT_EQ(ended.left[1].job, 3u);
  EXPECT_FALSE(ended.left[1].started);
  EXPECT_EQ(ended.left[1].end.kind, OutcomeKind::cancelled);
  EXPECT_EQ(ended.rerun_singly, 0u);
  EXPECT_EQ(child_->pid(), 0);
}

class LambdaEnd : public LambdaChildTest, public testing::WithParamInterface<StatusCase> {};

TEST_P(LambdaEnd, IsNamedByKindAndReason) {
  start("acts");
  give(job_of(1, "a", {GetParam().payload}));

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, GetParam().kind) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr(GetParam().reason));
  EXPECT_THAT(ended.end.reason, HasSubstr("in event 1 of 'a'"));
  ASSERT_EQ(ended.left.size(), 1u);
  EXPECT_TRUE(ended.left[0].started);
}
INSTANTIATE_TEST_SUITE_P(
    All, LambdaEnd,
    testing::Values(StatusCase{"exit:0", OutcomeKind::exited, "exited with code 0"},
                    StatusCase{"exit:3", OutcomeKind::exited, "exited with code 3"},
                    StatusCase{"pthread_exit", OutcomeKind::exited, "exited with code 0"},
                    StatusCase{"abort", OutcomeKind::signaled, "SIGABRT"},
                    StatusCase{"complain_and_abort:the index is torn", OutcomeKind::signaled,
                               "the index is torn"},
                    StatusCase{"socket", OutcomeKind::violation, "is not allowed in profile pure"}),
    name_case);

TEST_F(LambdaChildTest, KilledForAHangIsHungInTheEventThatRan) {
  start("acts");
  give(job_of(1, "a", {"ok", "hang"}));
  wait_running(1, 2);
  child_->kill({OutcomeKind::hung, "no heartbeat for 300 s"});

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::hung);
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("in event 2 of 'a'"), HasSubstr("no heartbeat for 300 s")));
  EXPECT_EQ(ended.left.at(0).done_to, 1);
  EXPECT_TRUE(ended.left.at(0).started);
}

struct Deadline {
  std::int64_t left_ns = -1, moved_ns = -1;
};
Deadline deadline_of(const ChildJobDone& done) {
  Deadline read;
  std::istringstream(done.outputs.back()) >> read.left_ns >> read.moved_ns;
  return read;
}

TEST_F(LambdaChildTest, TellsTheRunningEventWhenItWillCountAsHung) {
  ChildSpec spec = spec_of("acts", ChildKind::lambda);
  spec.timeout_ns = 3600 * ns_per_s;
  spec.timeout_max_ns = 2 * spec.timeout_ns;
  start(spec);
  give(job_of(1, "a", {"ok", "deadline"}));

  const Deadline read = deadline_of(wait_done(1).at(0));

  EXPECT_LE(read.left_ns, spec.timeout_ns);
  EXPECT_GT(read.left_ns, spec.timeout_ns - 60 * ns_per_s);
  EXPECT_GE(read.moved_ns, 2 * ns_per_ms) << "by the heartbeat";
}

TEST_F(LambdaChildTest, NoHeartbeatMovesTheDeadlinePastTheHardCap) {
  ChildSpec spec = spec_of("acts", ChildKind::lambda);
  spec.timeout_ns = spec.timeout_max_ns = 3600 * ns_per_s;
  start(spec);
  give(job_of(1, "a", {"deadline"}));

  const Deadline read = deadline_of(wait_done(1).at(0));

  EXPECT_GT(read.left_ns, spec.timeout_ns - 60 * ns_per_s);
  EXPECT_EQ(read.moved_ns, 0);
}

TEST_F(LambdaChildTest, WithoutATimeoutThereIsNoDeadline) {
  start("acts");
  give(job_of(1, "a", {"deadline"}));

  const Deadline read = deadline_of(wait_done(1).at(0));

  EXPECT_EQ(read.left_ns, 0);
  EXPECT_EQ(read.moved_ns, 0);
}

TEST_F(LambdaChildTest, CancelReachesTheRunningEvent) {
  start("acts");
  give(job_of(1, "a", {"wait", "ok"}));
  wait_running(1, 1);
  child_->cancel();

  const auto done = wait_done(1);

  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::cancelled);
  EXPECT_TRUE(done.at(0).status.started);
}

TEST_F(LambdaChildTest, HeartbeatsAreSeenFromOutside) {
  start("acts");
  give(job_of(1, "a", {"wait"}));
  wait_running(1, 1);

  const LambdaChild::Running first = child_->running();
  LambdaChild::Running later = first;
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  while (later.seen_heartbeat_ns == first.seen_heartbeat_ns && boot_ns() < deadline_ns)
    later = child_->running();

  EXPECT_GT(later.seen_heartbeat_ns, first.seen_heartbeat_ns);
  EXPECT_EQ(later.seen_started_ns, first.seen_started_ns);
}

TEST_F(LambdaChildTest, TakesBackWhatHasNotBegunAtOnceAndTheRestOfTheRunningJobLater) {
  start("acts");
  give(job_of(1, "a", {"wait", "ok"}));
  wait_running(1, 1);
  give(job_of(2, "b", {"abort"}));
  child_->take_back();

  const auto given_back = wait_done(1);

  ASSERT_EQ(given_back.size(), 1u);
  EXPECT_EQ(given_back[0].status.job, 2u);
  EXPECT_EQ(given_back[0].status.end.kind, OutcomeKind::cancelled);
  EXPECT_FALSE(given_back[0].status.started);
  EXPECT_FALSE(child_->submit(job_of(3, "c", {"ok"}))) << "its numbers could not start yet";

  child_->cancel();
  EXPECT_EQ(wait_done(1).at(0).status.job, 1u);
  Reports rest;
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  while (!child_->submit(job_of(3, "c", {"ok"})) && boot_ns() < deadline_ns) child_->poll(rest);
  child_->wake();
  EXPECT_EQ(wait_done(1).at(0).status.job, 3u) << "and the job taken back never ran: it would have aborted";
}

TEST_F(LambdaChildTest, TakesJobsAgainAfterJobsItNeverHeardOfWereTakenBack) {
  start_over_process("acts");
  give(job_of(1, "a", {"ok"}));
  wait_done(1);
  wait_asleep();
  ASSERT_TRUE(child_->submit(job_of(2, "a", {"ok"}))) << "and no wake()";
  child_->take_back();
  EXPECT_EQ(wait_done(1).at(0).status.job, 2u);

  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  bool given = false;
  for (Reports rest; !given && boot_ns() < deadline_ns; given = child_->submit(job_of(3, "a", {"ok"}))) {
    child_->poll(rest);
    wait_readable(child_->fd(), deadline_ns);
  }
  ASSERT_TRUE(given) << "its numbers never started again";
  child_->wake();

  EXPECT_EQ(wait_done(1).at(0).status.job, 3u);
}

TEST_F(LambdaChildTest, StopsAfterTheJobsItHas) {
  start("acts");
  for (JobId id = 1; id <= 20; ++id) give(job_of(id, "a", {"ok"}));
  child_->stop();

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_EQ(pick<ChildJobDone>(reports).size(), 20u);
  EXPECT_EQ(pick<ChildEnded>(reports).at(0).end.kind, OutcomeKind::ok)
      << pick<ChildEnded>(reports).at(0).end.reason;
}

TEST_F(LambdaChildTest, NamesThePhaseOfAHangInDestroy) {
  start("acts", R"({"destroy": {"mode": "hang"}})");
  give(job_of(1, "a", {"ok"}));
  wait_done(1);
  child_->stop();
  child_->kill({OutcomeKind::hung, "it did not stop"});

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::hung);
}

TEST_F(LambdaChildTest, RefusedCreateIsSetupWithThePluginsWords) {
  start("acts", R"({"create": {"mode": "refuse"}})");

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended.end.reason,
              AllOf(HasSubstr("in phase create"), HasSubstr("BAD_CONFIG"), HasSubstr("`root` is missing")));
  EXPECT_FALSE(ended.had_started_an_event);
}

TEST_F(LambdaChildTest, CrashInCreateIsSetupAndLeavesTheJobsUnstarted) {
  start("acts", R"({"create": {"mode": "segv"}})");
  give(job_of(1, "a", {"ok"}));

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("in phase create"), HasSubstr("SIGSEGV")));
  EXPECT_FALSE(ended.left.at(0).started);
}

TEST_F(LambdaChildTest, HangInCreateEndsWithTheStartTimeout) {
  ChildSpec spec = spec_of("acts", ChildKind::lambda);
  spec.config_json = R"({"create": {"mode": "hang"}})";
  spec.start_timeout_ms = 500;
  start(spec);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended.end.reason, AllOf(HasSubstr("in phase create"), HasSubstr("not ready after 500 ms")));
}

TEST_F(LambdaChildTest, InspectionLoadsReportsAndEnds) {
  start(spec_of("acts_flush", ChildKind::inspect));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_EQ(pick<ChildReady>(reports).at(0).manifest.id, "acts_flush");
  EXPECT_TRUE(pick<ChildReady>(reports).at(0).manifest.has_flush);
  EXPECT_EQ(pick<ChildEnded>(reports).at(0).end.kind, OutcomeKind::ok)
      << pick<ChildEnded>(reports).at(0).end.reason;
}

}  // namespace
}  // namespace cape::child
