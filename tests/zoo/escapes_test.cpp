// Guests that reach for what is not theirs, each over the real runner in the real sandbox: killed and named
// where no honest plugin would go, refused with an error where one might.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

struct Trapped {
  const char* name;  // of the system call, as the report names it
  std::string payload;
  const char* test = nullptr;
};
std::string name_trapped(const testing::TestParamInfo<Trapped>& tested) {
  return tested.param.test != nullptr ? tested.param.test : tested.param.name;
}
std::string number(long call, const char* arguments = "") {
  return std::to_string(call) + " " + arguments;
}

// What a child without seccomp may come to, which is level D: whatever the call did, its job has one end, and
// when the child is gone nothing is left of it.
void expect_contained(LambdaChild& child, Reports reports) {
  child.kill({OutcomeKind::cancelled, "seen enough"});
  if (pick<ChildEnded>(reports).empty())
    std::ranges::move(poll_until<LambdaReport>(child, at_least<ChildEnded, LambdaReport>(1)),
                      std::back_inserter(reports));
  const auto ended = pick<ChildEnded>(reports);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(pick<ChildJobDone>(reports).size() + ended[0].left.size(), 1u) << "ends of the job";
  EXPECT_EQ(child.pid(), 0);
}

class ZooViolation : public LambdaChildTest, public testing::WithParamInterface<Trapped> {};

TEST_P(ZooViolation, EndsTheGuestAndIsNamed) {
  start("escapes");
  give(job_of(1, "s", {GetParam().payload}));

  const Reports reports = wait_any_end();

  if (!has_layer(reports, "seccomp")) return expect_contained(*child_, reports);
  for (const ChildJobDone& done : pick<ChildJobDone>(reports))
    ADD_FAILURE() << "it lived: " << name_of(done.status.end.kind) << " " << done.status.end.reason;
  const auto ended = pick<ChildEnded>(reports);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].end.kind, OutcomeKind::violation) << ended[0].end.reason;
  EXPECT_THAT(ended[0].end.reason, AllOf(HasSubstr("in event 1 of 's'"), HasSubstr(GetParam().name)));
  EXPECT_EQ(child_->pid(), 0);
}

#if defined(__x86_64__)
// 20 is writev in our own table.
INSTANTIATE_TEST_SUITE_P(OtherTables, ZooViolation,
                         testing::Values(Trapped{"system call 20 of the 32-bit table is not allowed",
                                                 "call_of_32_bit", "call_of_32_bit"},
                                         Trapped{"system call 39 of x32 is not allowed", "call_of_x32", "call_of_x32"}),
                         name_trapped);
#endif

INSTANTIATE_TEST_SUITE_P(Processes, ZooViolation,
                         testing::Values(Trapped{"clone", "fork", "fork"},
                                         Trapped{"fork", number(SYS_fork), "fork_call"},
                                         Trapped{"not known, as it had blocked SIGSYS", "blocked", "blocked"},
                                         Trapped{"vfork", number(SYS_vfork)},
                                         Trapped{"clone", number(SYS_clone, "17"), "clone_without_thread"},
                                         Trapped{"execve", number(SYS_execve)},
                                         Trapped{"execveat", number(SYS_execveat)},
                                         Trapped{"mmap", "write_execute"}, Trapped{"mprotect", "add_execute"},
                                         Trapped{"kill", number(SYS_kill, "-1 9"), "kill_all"},
                                         Trapped{"kill", number(SYS_kill, "1 9"), "kill_reaper"},
                                         Trapped{"pidfd_open", number(SYS_pidfd_open, "1")},
                                         Trapped{"ptrace", number(SYS_ptrace, "16 1")},
                                         Trapped{"process_vm_readv", number(SYS_process_vm_readv, "1")},
                                         Trapped{"process_vm_writev", number(SYS_process_vm_writev, "1")}),
                         name_trapped);
INSTANTIATE_TEST_SUITE_P(Network, ZooViolation,
                         testing::Values(Trapped{"socket", number(SYS_socket, "2 1 0"), "tcp"},
                                         Trapped{"socket", number(SYS_socket, "2 2 0"), "udp"},
                                         Trapped{"socket", number(SYS_socket, "10 1 0"), "tcp6"},
                                         Trapped{"socket", number(SYS_socket, "2 1 262"), "mptcp"},
                                         Trapped{"socket", number(SYS_socket, "2 3 1"), "raw"},
                                         Trapped{"socket", number(SYS_socket, "17 3 0"), "packet"},
                                         Trapped{"socket", number(SYS_socket, "16 3 0"), "netlink"},
                                         Trapped{"socket", number(SYS_socket, "40 1 0"), "vsock"},
                                         Trapped{"socket", number(SYS_socket, "1 1 0"), "unix"},
                                         Trapped{"socketpair", number(SYS_socketpair, "1 1 0 0")},
                                         Trapped{"socket", "lookup", "lookup"},
                                         Trapped{"connect", number(SYS_connect, "3")},
                                         Trapped{"bind", number(SYS_bind, "3")},
                                         Trapped{"accept4", number(SYS_accept4, "3")}),
                         name_trapped);
INSTANTIATE_TEST_SUITE_P(
    Kernel, ZooViolation,
    testing::Values(Trapped{"unshare", number(SYS_unshare, "0x10000000")},
                    Trapped{"setns", number(SYS_setns)}, Trapped{"mount", number(SYS_mount, "0 0 0 32")},
                    Trapped{"umount2", number(SYS_umount2)}, Trapped{"pivot_root", number(SYS_pivot_root)},
                    Trapped{"chroot", number(SYS_chroot)}, Trapped{"fsopen", number(SYS_fsopen)},
                    Trapped{"open_tree", number(SYS_open_tree)},
                    Trapped{"move_mount", number(SYS_move_mount)},
                    Trapped{"open_by_handle_at", number(SYS_open_by_handle_at)},
                    Trapped{"io_uring_setup", number(SYS_io_uring_setup, "1")},
                    Trapped{"bpf", number(SYS_bpf)}, Trapped{"perf_event_open", number(SYS_perf_event_open)},
                    Trapped{"userfaultfd", number(SYS_userfaultfd)}, Trapped{"keyctl", number(SYS_keyctl)},
                    Trapped{"add_key", number(SYS_add_key)}, Trapped{"request_key", number(SYS_request_key)},
                    Trapped{"memfd_create", number(SYS_memfd_create)},
                    Trapped{"init_module", number(SYS_init_module)}, Trapped{"kcmp", number(SYS_kcmp)}),
    name_trapped);

struct RefusedCall {
  const char* name;
  std::string payload;
  int error;
};
class ZooRefused : public LambdaChildTest, public testing::WithParamInterface<RefusedCall> {};

TEST_P(ZooRefused, FailsAndTheGuestLives) {
  start("escapes");
  give(job_of(1, "s", {GetParam().payload}));

  const Reports reports = wait_any_end();

  if (!has_layer(reports, "seccomp")) return expect_contained(*child_, reports);
  ASSERT_EQ(pick<ChildJobDone>(reports).size(), 1u);
  const ChildJobDone done = pick<ChildJobDone>(reports)[0];
  EXPECT_EQ(done.status.end.kind, OutcomeKind::failed)
      << "OK: nothing stopped it. " << done.status.end.reason;
  EXPECT_EQ(done.status.app_code, GetParam().error) << done.status.end.reason;
}
INSTANTIATE_TEST_SUITE_P(
    Zoo, ZooRefused,
    testing::Values(RefusedCall{"clone3", number(SYS_clone3), ENOSYS},
                    RefusedCall{"mq_open", number(SYS_mq_open), ENOSYS},
                    RefusedCall{"shmget", number(SYS_shmget, "0 4096 896"), ENOSYS},
                    RefusedCall{"personality", number(SYS_personality, "0x40000"), ENOSYS},
                    RefusedCall{"dumpable", number(SYS_prctl, "4 1"), ENOSYS},
                    RefusedCall{"seccomp_listener", number(SYS_seccomp, "1 8 0"), ENOSYS},
                    RefusedCall{"setuid", number(SYS_setuid, "0"), ENOSYS},
                    RefusedCall{"capset", number(SYS_capset), ENOSYS},
                    RefusedCall{"setrlimit", number(SYS_setrlimit, "9 0"), ENOSYS},
                    RefusedCall{"syslog", number(SYS_syslog, "3"), ENOSYS},
                    RefusedCall{"tkill_others", number(SYS_tgkill, "1 1 9"), ENOSYS},
                    RefusedCall{"landlock", number(SYS_landlock_create_ruleset, "0 0 1"), ENOSYS},
                    RefusedCall{"shared_memory", number(SYS_mmap, "0 4096 3 33 -1 0"), ENOSYS},
                    RefusedCall{"holes", number(SYS_madvise, "0 4096 9"), EPERM},
                    RefusedCall{"dlopen", "dlopen", EACCES}),
    [](const auto& tested) { return std::string(tested.param.name); });

bool is_counted(const Reports& reports) {
  const auto ready = pick<ChildReady>(reports);
  return !ready.empty() && ready[0].sandbox.layers.find("cgroup:") != std::string::npos;
}

TEST_F(LambdaChildTest, ZooTenThousandThreadsAreCutAtTheLimit) {
  ChildSpec spec = spec_of("escapes", ChildKind::lambda);
  spec.limits.threads = 20;
  start(spec);
  give(job_of(1, "s", {"threads"}));

  const Reports reports = wait_any_end();

  const bool by_user = has_layer(reports, "userns") || has_layer(reports, "uid");
  if (!by_user && !is_counted(reports))
    GTEST_SKIP()
        << "threads of a user that others use are counted by a control group alone, and there is none";
  const int room = by_user ? 0 : 4;  // which a group leaves for what it counts beside threads
  const auto done = pick<ChildJobDone>(reports);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].status.end.kind, OutcomeKind::failed);
  EXPECT_GT(done[0].status.app_code, 5);
  EXPECT_LE(done[0].status.app_code, 20 + room);
}

class ZooFiles : public LambdaChildTest {
 protected:
  ZooFiles() {
    char made[] = "/tmp/cape-zoo-XXXXXX";
    dir_ = ::mkdtemp(made);
    std::filesystem::permissions(dir_, std::filesystem::perms::all);
    std::ofstream(dir_ / "secret") << "untouched";
    std::filesystem::permissions(dir_ / "secret", std::filesystem::perms::all);
  }
  ~ZooFiles() override { std::filesystem::remove_all(dir_); }
  void expect_refused(const std::string& payload) {
    SCOPED_TRACE(payload);
    const ChildJobDone done = run("paths", payload);
    EXPECT_EQ(done.status.end.kind, OutcomeKind::failed) << "OK: nothing stopped it";
    EXPECT_THAT(done.status.app_code, testing::AnyOf(EACCES, ENOENT, EROFS, ENOSYS, EPERM))
        << done.status.end.reason;
  }

  std::filesystem::path dir_;
};

TEST_F(ZooFiles, OfTheMachineAreNotThere) {
  const std::string secret = (dir_ / "secret").string();
  for (const std::string& path :
       {secret, std::string("/etc/passwd"), std::string("/proc/self/mem"),
        "/proc/" + std::to_string(::getpid()) + "/mem", std::string("/proc/1/environ"),
        std::string("/dev/null"), std::string("/../../../etc/passwd"), "/." + secret}) {
    expect_refused("read " + path);
    expect_refused("stat " + path);
  }
}

TEST_F(ZooFiles, CanNeitherBeMadeNorChanged) {
  const std::string secret = (dir_ / "secret").string();
  for (const char* verb : {"write", "truncate", "create", "link", "rename", "mkdir"})
    expect_refused(verb + (" " + secret));
  for (const char* place : {"/plugin.so", "/x", "/tmp/x", "/dev/shm/x", "/var/tmp/x", "./x"}) {
    expect_refused(std::string("create ") + place);
    expect_refused(std::string("mkdir ") + place);
  }
  expect_refused("write /plugin.so");
  expect_refused("symlink " + secret);

  std::string text;
  std::ifstream(secret) >> text;
  EXPECT_EQ(text, "untouched");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_), {}), 1);
}

}  // namespace
}  // namespace cape::child
