// What a plugin sees and can do in profile pure.
#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(Sandbox, PluginSeesItsLibraryAndAnEmptyWorkingDirectory) {
  const Seen seen = perform("report");

  EXPECT_THAT(seen.said, Contains(Pair("root", "EACCES")));  // not even its names
  EXPECT_THAT(seen.said, Contains(Pair("cwd", "/etc/cape")));
  EXPECT_THAT(seen.said, Contains(Pair("pid", "2")));
  EXPECT_THAT(seen.said, Contains(Pair("hostname", "cape")));
  EXPECT_THAT(seen.said, Contains(Pair("caps", "0")));
}

TEST(Sandbox, OnlyTheAgreedDescriptorsAreOpen) {
  const Seen seen = perform("report");

  EXPECT_THAT(seen.said, Contains(Pair("fds", "0 1 2 3 9")));
}

TEST(Sandbox, WithoutAControlGroupLevelIsBAndEveryMissingLayerIsNamed) {
  const Seen seen = perform_without_groups(spec_of("report"));

  EXPECT_THAT(seen.said, Contains(Pair("level", "B")));
  for (const char* layer : {"process", "userns", "pidns", "ipcns", "netns", "mountns", "caps", "rlimit", "pdeathsig",
                            "nnp", "seccomp"})
    EXPECT_THAT(seen.said, Contains(Pair("layers", HasSubstr(layer))));
  EXPECT_THAT(seen.said, Contains(Pair("missing", HasSubstr("cgroup: nobody lends one"))));
}

TEST(Sandbox, ChildBelowTheRequiredLevelEndsInSetupAndSaysWhatIsMissing) {
  ChildSpec spec = spec_of("report");
  spec.require_level = 'A';

  const Seen seen = perform_without_groups(spec);

  EXPECT_EQ(seen.last_kind, 1u);
  EXPECT_EQ(WEXITSTATUS(seen.end.wait_status), exit_code_setup);
  EXPECT_THAT(seen.last_text, HasSubstr("below the required level A"));
  EXPECT_THAT(seen.last_text, HasSubstr("cgroup"));
}

TEST(Sandbox, FilesOfTheMachineAreNotThere) {
  const Seen seen = perform("paths /etc/passwd /proc/self /dev/null /root /tmp");

  EXPECT_THAT(seen.said, Contains(Pair("read /etc/passwd", "ENOENT")));
  EXPECT_THAT(seen.said, Contains(Pair("stat /proc/self", "ENOENT")));
  EXPECT_THAT(seen.said, Contains(Pair("read /dev/null", "ENOENT")));
  EXPECT_THAT(seen.said, Contains(Pair("stat /root", "ENOENT")));
  EXPECT_THAT(seen.said, Contains(Pair("stat /tmp", "ENOENT")));
}

TEST(Sandbox, NothingCanBeWritten) {
  const Seen seen = perform("paths / /etc /etc/cape");

  for (const char* path : {"/", "/etc", "/etc/cape"}) {
    EXPECT_THAT(seen.said, Contains(Pair(std::string("create ") + path + "/made", Not("ok"))));
    EXPECT_THAT(seen.said, Contains(Pair(std::string("mkdir ") + path + "/dir", Not("ok"))));
  }
}

TEST(Sandbox, NoPathOpensOnceEventsRun) {
  const Seen seen = perform("run paths /plugin.so");

  EXPECT_THAT(seen.said, Contains(Pair("read /plugin.so", "EACCES")));
  EXPECT_THAT(seen.said, Contains(Pair("stat /plugin.so", "EACCES")));
}

// The layers under seccomp: it is still off when the probe tries.
TEST(Sandbox, ProbeGetsOutNowhere) {
  const Probe probe = probe_sandbox();

  EXPECT_LE(probe.level, 'B') << probe.missing;
  EXPECT_THAT(probe.missing, Not(HasSubstr("could still")));
}

struct TrappedCase {
  const char* name;
  long number;
  const char* arguments;
};

class TrappedCallTest : public testing::TestWithParam<TrappedCase> {};

TEST_P(TrappedCallTest, EndsTheChildWithItsName) {
  const TrappedCase& c = GetParam();
  const std::string act = "call " + std::to_string(c.number) + " " + c.arguments;

  for (const std::string& stage : {std::string(), std::string("run ")}) {
    const Seen seen = perform(stage + act);

    expect_violation(seen, c.name);
    EXPECT_EQ(seen.last_syscall, c.number);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sandbox, TrappedCallTest,
    testing::Values(TrappedCase{"socket", SYS_socket, "2 1 0"}, TrappedCase{"fork", SYS_fork, ""},
                    TrappedCase{"vfork", SYS_vfork, ""}, TrappedCase{"clone", SYS_clone, "17"},
                    TrappedCase{"execve", SYS_execve, "0 0 0"}, TrappedCase{"execveat", SYS_execveat, "0 0 0"},
                    TrappedCase{"kill", SYS_kill, "1 9"}, TrappedCase{"kill", SYS_kill, "-1 9"},
                    TrappedCase{"ptrace", SYS_ptrace, "16 1"}, TrappedCase{"unshare", SYS_unshare, "0x10000000"},
                    TrappedCase{"mount", SYS_mount, "0 0 0"}, TrappedCase{"setns", SYS_setns, "0 0"},
                    TrappedCase{"bpf", SYS_bpf, "0 0 0"}, TrappedCase{"keyctl", SYS_keyctl, "0"},
                    TrappedCase{"io_uring_setup", SYS_io_uring_setup, "1 0"},
                    TrappedCase{"memfd_create", SYS_memfd_create, "0 0"},
                    TrappedCase{"pidfd_open", SYS_pidfd_open, "1 0"},
                    TrappedCase{"process_vm_readv", SYS_process_vm_readv, "1 0 0 0 0 0"},
                    TrappedCase{"userfaultfd", SYS_userfaultfd, "0"},
                    TrappedCase{"perf_event_open", SYS_perf_event_open, "0 0 0 0 0"},
                    TrappedCase{"chroot", SYS_chroot, "0"}));

class UnknownCallTest : public testing::TestWithParam<TrappedCase> {};

TEST_P(UnknownCallTest, FailsAsOnAKernelWithoutIt) {
  const Seen seen = perform("run call " + std::to_string(GetParam().number) + " " + GetParam().arguments);

  EXPECT_THAT(seen.said, Contains(Pair("call", "ENOSYS")));
}

INSTANTIATE_TEST_SUITE_P(
    Sandbox, UnknownCallTest,
    testing::Values(TrappedCase{"clone3", SYS_clone3, "0 0"}, TrappedCase{"shmget", SYS_shmget, "0 4096 0x3b6"},
                    TrappedCase{"prctl", SYS_prctl, "4 1"}, TrappedCase{"seccomp", SYS_seccomp, "1 0 0"},
                    TrappedCase{"prlimit64", SYS_prlimit64, "0 7 1 0"}, TrappedCase{"setuid", SYS_setuid, "0"},
                    TrappedCase{"personality", SYS_personality, "0"}, TrappedCase{"mq_open", SYS_mq_open, "0"},
                    TrappedCase{"sendto", SYS_sendto, "2 0 0 0 0 0"}, TrappedCase{"tgkill", SYS_tgkill, "1 1 9"},
                    TrappedCase{"setsid", SYS_setsid, ""}));

TEST(Sandbox, WritableMemoryNeverBecomesExecutable) {
  expect_violation(perform("exec_memory w"), "mmap");
  expect_violation(perform("run exec_memory x"), "mprotect");
}

TEST(Sandbox, HandlerOfViolationsStays) {
  const Seen seen = perform("sigsys");

  expect_violation(seen, "socket");
  EXPECT_THAT(seen.said, Contains(Pair("ignore", "EPERM")));
}

TEST(Sandbox, BlockedViolationStillKills) {
  const Seen seen = perform("block_sigsys");

  ASSERT_TRUE(WIFSIGNALED(seen.end.wait_status));
  EXPECT_EQ(WTERMSIG(seen.end.wait_status), SIGSYS);
}

TEST(Sandbox, LifeAndDoorbellDescriptorsCannotBeLetGo) {
  const TempDir dir;
  ChildSpec spec = spec_of("run life");
  spec.grant.state = true;  // the profile that has locks at all
  spec.state_dir = dir.path() / "state";

  const Seen seen = perform(spec);

  for (const char* what : {"close", "unlock", "dup", "dup2 over", "dup3 over", "fcntl", "high bits", "control"})
    EXPECT_THAT(seen.said, Contains(Pair(what, "EPERM")));
  EXPECT_THAT(seen.said, Contains(Pair("close_range", "ENOSYS")));
}

TEST(Sandbox, RequestsCannotBeWrittenByTheChild) {
  EXPECT_THAT(perform("requests").said, Contains(Pair("writable", "EACCES")));
}

TEST(Sandbox, ThreadsAreLimited) {
  ChildSpec spec = spec_of("run threads 40");
  spec.limits.threads = 8;
  spec.limits.memory_bytes = 1u << 30;

  EXPECT_THAT(perform(spec).said, Contains(Pair("threads", "8")));

  spec.limits.threads = 64;
  EXPECT_THAT(perform(spec).said, Contains(Pair("threads", "40")));
}

TEST(Sandbox, MemoryIsLimitedAndSharedMemoryIsNoWayRound) {
  ChildSpec spec = spec_of("run memory 4096");
  spec.limits.memory_bytes = 64u << 20;
  spec.limits.threads = 4;

  const Seen seen = perform(spec);

  const int mib = std::stoi(seen.said.at("mib"));
  EXPECT_GE(mib, 60);
  EXPECT_LE(mib, 90);
  EXPECT_THAT(seen.said, Contains(Pair("shared", "ENOSYS")));
}

}  // namespace
}  // namespace cape::child
