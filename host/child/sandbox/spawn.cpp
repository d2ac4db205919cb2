#include "host/child/sandbox/spawn.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace cape::child {
namespace {

constexpr int new_namespaces =
    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr std::size_t stack_bytes = 64 << 10;
constexpr rlim_t thread_stack_bytes = 2
                                      << 20;  // the C library takes the limit at exec as default of a thread
constexpr int high_fds = 64;                  // above every number the runner expects

// Everything the new process needs, prepared before: it shares our memory and must not allocate or lock.
struct Launch {
  const SpawnOrder& order;
  char* const* arguments;
  char* const* environment;
  const char* failed_step = nullptr;  // written by the new process, read by us after it is gone
  int error = 0;
};

// What the runner needs to mount, to read every granted path, to change its id and to lock the rest away.
constexpr unsigned long runner_capabilities[] = {
    CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_SETUID, CAP_SETGID, CAP_SETPCAP};

// The ids of a new user namespace are unmapped at exec, which would cost all capabilities; ambient ones stay.
bool keep_capabilities_over_exec() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2] = {};
  if (syscall(SYS_capget, &header, words) != 0) return false;
  for (auto& word : words) word.inheritable = word.permitted;
  if (syscall(SYS_capset, &header, words) != 0) return false;
  for (const unsigned long capability : runner_capabilities)
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return false;
  return true;
}

// First out of the way of the final numbers, then onto them.
bool place_descriptors(const Launch& launch) {
  int high[10];
  const int wanted[] = {launch.order.null_fd, launch.order.null_fd, launch.order.stderr_fd};
  for (int i = 0; i < 10; ++i) {
    const int from = i < 3 ? wanted[i] : launch.order.fds[static_cast<std::size_t>(i - 3)];
    high[i] = fcntl(from, F_DUPFD_CLOEXEC, high_fds);
    if (high[i] < 0) return false;
  }
  for (int i = 0; i < 10; ++i)
    if (dup2(high[i], i) < 0) return false;
  return syscall(SYS_close_range, fd_life + 1, ~0u, 0) == 0;
}

bool set_thread_stacks() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_STACK, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max < thread_stack_bytes ? limit.rlim_max : thread_stack_bytes;
  return setrlimit(RLIMIT_STACK, &limit) == 0;
}

// In the new process, on our memory, until exec. System calls only.
int become_runner(void* argument) {
  Launch& launch = *static_cast<Launch*>(argument);
  const auto stop = [&](const char* step) {
    launch.error = errno;
    launch.failed_step = step;
    _exit(127);
  };
  umask(077);
  setsid();
  if (!place_descriptors(launch)) stop("descriptors");
  if (!set_thread_stacks()) stop("stack limit");
  if (launch.order.namespaces && !keep_capabilities_over_exec()) stop("capabilities");
  execve(launch.order.program.c_str(), launch.arguments, launch.environment);
  stop("exec");
  return 127;
}

// No handler of ours may run in the new process while it has our memory.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

void wait_for(pid_t pid) {
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

int leave_at_once(void*) {
  _exit(0);
}

// CLONE_VFORK keeps this thread asleep until exec, so that the stack and `argument` stay as they are.
pid_t clone_sharing_memory(int (*entry)(void*), int flags, void* argument, int* pidfd) {
  std::vector<std::byte> stack(stack_bytes);
  const SignalsHeld held;
  return clone(entry, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | flags,
               argument, pidfd);
}

}  // namespace

Result<Spawned> spawn(const SpawnOrder& order) {
  std::string name = "cape-runner", title = order.title;
  char* const arguments[] = {name.data(), title.data(), nullptr};
  char* const environment[] = {nullptr};
  Launch launch{.order = order, .arguments = arguments, .environment = environment};
  int pidfd = -1;
  const int wanted = order.host_network ? new_namespaces & ~CLONE_NEWNET : new_namespaces;
  const pid_t pid = clone_sharing_memory(become_runner, order.namespaces ? wanted : 0, &launch, &pidfd);
  if (pid < 0) return fail_errno(ErrorCode::unavailable, "clone of the child's process", errno);
  Spawned spawned{.pid = pid, .pidfd = UniqueFd(pidfd)};
  if (!launch.failed_step) return spawned;
  wait_for(pid);
  return fail_errno(ErrorCode::io, "start of " + order.program + " (" + launch.failed_step + ")",
                    launch.error);
}

bool namespaces_allowed() {
  int pidfd = -1;
  const pid_t pid = clone_sharing_memory(leave_at_once, new_namespaces, nullptr, &pidfd);
  if (pid < 0) return false;
  const UniqueFd closed(pidfd);
  wait_for(pid);
  return true;
}

}  // namespace cape::child
