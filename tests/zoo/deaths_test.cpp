// Guests that die or never end. Each death is named with its event, or with its phase before the first one;
// none is beyond SIGKILL, and nothing of the child is left.
#include <signal.h>

#include "host/child/child_end.hpp"
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

struct Death {
  const char* plugin;
  const char* payload;
  OutcomeKind kind;
  const char* reason;
};
std::string name_death(const testing::TestParamInfo<Death>& tested) {
  std::string name = std::string(tested.param.plugin) + "_" + tested.param.payload;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
class ZooDeath : public LambdaChildTest, public testing::WithParamInterface<Death> {};

TEST_P(ZooDeath, IsNamedWithItsEventAndKeepsTheEventsBefore) {
  start(GetParam().plugin);
  give(job_of(1, "before", {"fine"}));
  give(job_of(2, "s", {"fine", GetParam().payload, "fine"}));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_EQ(pick<ChildJobDone>(reports).size(), 1u) << "the job before it";
  const auto ended = pick<ChildEnded>(reports);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].end.kind, GetParam().kind) << ended[0].end.reason;
  EXPECT_THAT(ended[0].end.reason, AllOf(HasSubstr("in event 2 of 's'"), HasSubstr(GetParam().reason)));
  ASSERT_EQ(ended[0].left.size(), 1u);
  EXPECT_EQ(ended[0].left[0].done_to, 1);
  EXPECT_EQ(ended[0].left[0].failed_sequence, 2);
  EXPECT_EQ(child_->pid(), 0);
}
INSTANTIATE_TEST_SUITE_P(
    Zoo, ZooDeath,
    testing::Values(Death{"ends", "trap", OutcomeKind::signaled, "SIGILL"},
                    Death{"ends", "quick_exit", OutcomeKind::exited, "exited with code 0"},
                    Death{"ends", "exit_as_setup", OutcomeKind::exited, "exited with code 111"},
                    Death{"ends", "exit_as_violation", OutcomeKind::exited, "exited with code 112"},
                    Death{"ends", "thread", OutcomeKind::signaled, "SIGSEGV at address 0x10"}),
    name_death);

class ZooEndless : public LambdaChildTest, public testing::WithParamInterface<const char*> {};

TEST_P(ZooEndless, IsEndedByTheKillOfItsHost) {
  start("ends");
  give(job_of(1, "s", {"fine", GetParam()}));
  wait_running(1, 2);
  child_->cancel();
  child_->kill({OutcomeKind::hung, "no end in sight"});

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::hung) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr("in event 2 of 's'"));
  EXPECT_EQ(child_->pid(), 0);
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooEndless, testing::Values("yield", "deaf", "heartbeat", "stop"),
                         [](const auto& tested) { return std::string(tested.param); });

struct EarlyEnd {
  const char* plugin;
  const char* phase;
  const char* reason;
};
class ZooEarlyEnd : public LambdaChildTest, public testing::WithParamInterface<EarlyEnd> {};

TEST_P(ZooEarlyEnd, IsSetupWithItsPhase) {
  ChildSpec spec = spec_of(GetParam().plugin, ChildKind::lambda);
  spec.start_timeout_ms = 1'000;  // none of them ever gets ready
  start(spec);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended.end.reason,
              AllOf(HasSubstr(std::string("in phase ") + GetParam().phase), HasSubstr(GetParam().reason)));
  EXPECT_FALSE(ended.had_started_an_event);
  EXPECT_EQ(child_->pid(), 0);
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooEarlyEnd,
                         testing::Values(EarlyEnd{"crash_ctor", "load", "SIGSEGV"},
                                         EarlyEnd{"crash_resolver", "load", "SIGSEGV"},
                                         EarlyEnd{"hang_constructor", "load", "not ready after 1000 ms"},
                                         EarlyEnd{"hang_init", "init", "not ready after 1000 ms"},
                                         EarlyEnd{"crash_init", "init", "SIGSEGV"}),
                         [](const auto& tested) { return std::string(tested.param.plugin); });

struct LateHang {
  const char* plugin;
  Phase phase;
};
class ZooLateHang : public LambdaChildTest, public testing::WithParamInterface<LateHang> {};

TEST_P(ZooLateHang, IsNamedWithItsPhaseAndTakesNoResultWithIt) {
  start_over_process(GetParam().plugin);
  give(job_of(1, "s", {"fine"}));
  EXPECT_EQ(wait_done(1).at(0).status.end.kind, OutcomeKind::ok);
  child_->stop();
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  while (read_phase(process_->response()) != GetParam().phase)
    ASSERT_LT(boot_ns(), deadline_ns) << "never there";
  child_->kill({OutcomeKind::hung, "it did not stop"});

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::hung) << ended.end.reason;
  EXPECT_THAT(ended.end.reason, HasSubstr(std::string("in phase ") + name_of(GetParam().phase)));
  EXPECT_TRUE(ended.left.empty());
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooLateHang,
                         testing::Values(LateHang{"hang_destroy", Phase::destroy},
                                         LateHang{"hang_deinit", Phase::deinit}),
                         [](const auto& tested) { return std::string(tested.param.plugin); });

TEST_F(LambdaChildTest, ZooMemoryWithoutEndIsHeldByTheLimitOfTheChildAlone) {
  ChildSpec spec = spec_of("alloc", ChildKind::lambda);
  spec.limits.memory_bytes = 64u << 20;
  start(spec);
  give(job_of(1, "s", {"x"}));

  const auto done = wait_done(1);

  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].status.end.kind, OutcomeKind::no_memory) << done[0].status.end.reason;
}

// ---- killed by somebody else, at each step

TEST_F(LambdaChildTest, ZooKillFromOutsideBeforeItIsReadyBlamesNobody) {
  start("hang_constructor");
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  while (child_->pid() == 0) ASSERT_LT(boot_ns(), deadline_ns);
  ASSERT_EQ(::kill(child_->pid(), SIGKILL), 0);

  EXPECT_EQ(wait_end().end.kind, OutcomeKind::external_kill);
}

TEST_F(LambdaChildTest, ZooKillFromOutsideBetweenJobsLeavesNone) {
  start("ends");
  give(job_of(1, "s", {"fine"}));
  wait_done(1);
  ASSERT_EQ(::kill(child_->pid(), SIGKILL), 0);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::external_kill);
  EXPECT_TRUE(ended.left.empty());
}

TEST_F(LambdaChildTest, ZooKillFromOutsideInAnEventGivesItBackUncompleted) {
  start("ends");
  give(job_of(1, "s", {"fine", "yield", "fine"}));
  wait_running(1, 2);
  ASSERT_EQ(::kill(child_->pid(), SIGKILL), 0);

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_TRUE(pick<ChildJobDone>(reports).empty());
  const ChildEnded ended = pick<ChildEnded>(reports).at(0);
  EXPECT_EQ(ended.end.kind, OutcomeKind::external_kill);
  ASSERT_EQ(ended.left.size(), 1u);
  EXPECT_EQ(ended.left[0].done_to, 1);
}

}  // namespace
}  // namespace cape::child
