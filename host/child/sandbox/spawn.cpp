#include "host/child/sandbox/spawn.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
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
#include <iterator>
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
bool place_descriptors(const SpawnOrder& order) {
  const int from[] = {order.null_fd, order.null_fd, order.stderr_fd, order.control_fd, order.reaper_fd};
  constexpr int to[] = {0, 1, 2, fd_control, fd_reaper};
  int high[std::size(to)];
  for (std::size_t i = 0; i < std::size(to); ++i)
    if ((high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, high_fds)) < 0) return false;
  for (std::size_t i = 0; i < std::size(to); ++i)
    if (dup2(high[i], to[i]) < 0) return false;
  return syscall(SYS_close_range, fd_control + 1, fd_reaper - 1, 0) == 0 &&
         syscall(SYS_close_range, fd_reaper + 1, ~0u, 0) == 0;
}

// A process that moves itself waits for nobody.
bool enter_group(const Launch& launch) {
  if (launch.order.doors == nullptr) return true;
  for (const UniqueFd& tasks : launch.order.doors->tasks)
    if (write(tasks.get(), "0", 1) != 1) return false;
  return true;
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
  if (!enter_group(launch)) stop("control group");
  if (!place_descriptors(launch.order)) stop("descriptors");
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

struct Entry {
  int (*run)(void*);
  void* argument;
};

// What the C library does for clone(), and does not offer for the call that takes a control group. -1 with
// errno.
pid_t clone3_onto_stack([[maybe_unused]] const clone_args& wish, [[maybe_unused]] const Entry& entry) {
#if defined(__x86_64__)
  long done = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"  // in the new process from here on: other stack, same registers
      "movq %[argument], %%rdi\n\t"
      "callq *%[run]\n\t"
      "ud2\n"
      "1:"
      : "+a"(done)
      : "D"(&wish), "S"(sizeof wish), [run] "r"(entry.run), [argument] "r"(entry.argument)
      : "rcx", "r11", "cc", "memory");
  if (done >= 0) return static_cast<pid_t>(done);
  errno = static_cast<int>(-done);
#else
  errno = ENOSYS;
#endif
  return -1;
}

// CLONE_VFORK keeps this thread asleep until exec, so that the stack and the argument stay as they are.
constexpr int shared_until_exec = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;

pid_t clone_sharing_memory(const Entry& entry, int flags, int* pidfd) {
  std::vector<std::byte> stack(stack_bytes);
  const SignalsHeld held;
  return clone(entry.run, stack.data() + stack.size(), shared_until_exec | SIGCHLD | flags, entry.argument,
               pidfd);
}

pid_t clone_into_group(const Entry& entry, int flags, int group, int* pidfd) {
  std::vector<std::byte> stack(stack_bytes);
  clone_args wish = {};
  wish.flags = static_cast<std::uint64_t>(shared_until_exec | flags) | CLONE_INTO_CGROUP;
  wish.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  wish.exit_signal = SIGCHLD;
  wish.stack = reinterpret_cast<std::uint64_t>(stack.data());
  wish.stack_size = stack.size();
  wish.cgroup = static_cast<std::uint64_t>(group);
  const SignalsHeld held;
  return clone3_onto_stack(wish, entry);
}

// Where a container refuses the newer call, its process is moved afterwards.
pid_t clone_into(const GroupDoors* doors, const Entry& entry, int flags, Spawned& spawned) {
  int pidfd = -1;
  pid_t pid = -1;
  if (doors != nullptr && doors->group) pid = clone_into_group(entry, flags, doors->group.get(), &pidfd);
  spawned.in_group = pid >= 0 || (doors != nullptr && !doors->tasks.empty());
  if (pid < 0) pid = clone_sharing_memory(entry, flags, &pidfd);
  spawned.pidfd = UniqueFd(pidfd);
  return spawned.pid = pid;
}

}  // namespace

Result<Spawned> spawn(const SpawnOrder& order) {
  std::string name = "cape-runner", title(title_bytes_max, ' ');
  char* const arguments[] = {name.data(), title.data(), nullptr};
  char* const environment[] = {nullptr};
  Launch launch{.order = order, .arguments = arguments, .environment = environment};
  const int wanted = order.host_network ? new_namespaces & ~CLONE_NEWNET : new_namespaces;
  Spawned spawned;
  if (clone_into(order.doors, {become_runner, &launch}, order.namespaces ? wanted : 0, spawned) < 0)
    return fail_errno(ErrorCode::unavailable, "clone of the child's process", errno);
  if (!launch.failed_step) return spawned;
  wait_for(spawned.pid);
  return fail_errno(ErrorCode::io, "start of " + order.program + " (" + launch.failed_step + ")",
                    launch.error);
}

bool namespaces_allowed() {
  int pidfd = -1;
  const pid_t pid = clone_sharing_memory({leave_at_once, nullptr}, new_namespaces, &pidfd);
  if (pid < 0) return false;
  const UniqueFd closed(pidfd);
  wait_for(pid);
  return true;
}

}  // namespace cape::child
