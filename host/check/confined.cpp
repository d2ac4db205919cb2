#include "host/check/confined.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "core/unique_fd.hpp"
#include "host/child/child_end.hpp"
#include "host/child/sandbox/filter_builder.hpp"

namespace cape::check {
namespace {

constexpr std::uint64_t memory_bytes_max = 1u << 30;
constexpr int exit_code_no_walls = 3;

// What the allocator, the answer and a death by abort() need.
Result<std::string> reading_filter(int answer_fd) {
  child::FilterBuilder builder(SCMP_ACT_KILL_PROCESS);
  constexpr std::array free_calls = {
      SCMP_SYS(pread64),      SCMP_SYS(munmap), SCMP_SYS(brk),           SCMP_SYS(mremap),
      SCMP_SYS(madvise),      SCMP_SYS(futex),  SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid),        SCMP_SYS(exit),
      SCMP_SYS(exit_group)};
  builder.allow(free_calls);
  builder.allow(SCMP_SYS(mmap), {child::lacks_bits(2, PROT_EXEC), child::has_bits(3, MAP_ANONYMOUS)});
  builder.allow(SCMP_SYS(mprotect), {child::lacks_bits(2, PROT_EXEC)});
  builder.allow(SCMP_SYS(tgkill), {child::is_int(0, static_cast<std::uint32_t>(::getpid()))});
  for (const int fd : {answer_fd, STDERR_FILENO})  // stderr leads nowhere by then
    for (const int call : {SCMP_SYS(write), SCMP_SYS(writev)})
      builder.allow(call, {child::is_int(0, static_cast<std::uint32_t>(fd))});
  return builder.program();
}

// Asked of the kernel: where it has none, libseccomp makes no such filter either.
bool has_seccomp() {
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, nullptr) != 0 && errno == EFAULT;
}

bool limit(__rlimit_resource_t what, std::uint64_t most) {
  const rlimit both = {most, most};
  return ::setrlimit(what, &both) == 0;
}

bool close_stderr() {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return null && ::dup2(null.get(), STDERR_FILENO) >= 0;
}

// In the child. Error: these walls cannot be had. Holds nothing that would have to be closed behind them.
Result<void> put_up_walls(int answer_fd, std::int64_t ms_max) {
  if (!close_stderr()) return fail_errno(ErrorCode::io, "/dev/null", errno);
  const auto seconds = static_cast<std::uint64_t>(ms_max / 1'000 + 2);
  if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_DATA, memory_bytes_max) || !limit(RLIMIT_CPU, seconds))
    return fail_errno(ErrorCode::io, "setrlimit", errno);
  // Such a kernel leaves level D to the plugins, too, or runs none; a crash stays in here all the same.
  if (!has_seccomp() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return {};
  const Result<std::string> program = reading_filter(answer_fd);
  if (!program) return std::unexpected(program.error());
  std::vector<sock_filter> steps(program->size() / sizeof(sock_filter));
  std::memcpy(steps.data(), program->data(), steps.size() * sizeof(sock_filter));
  const sock_fprog wish = {static_cast<unsigned short>(steps.size()), steps.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &wish) != 0)
    return fail_errno(ErrorCode::io, "seccomp", errno);
  return {};
}

void answer(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody listens any more
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// noexcept: an exception must not run on in the code of our caller, of which this process is a copy.
[[noreturn]] void live(const std::function<std::string()>& read, int answer_fd, std::int64_t ms_max,
                       pid_t parent) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(exit_code_no_walls);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(signal, SIG_DFL);
  if (const Result<void> walls = put_up_walls(answer_fd, ms_max); !walls) {
    answer(answer_fd, walls.error().message);
    ::_exit(exit_code_no_walls);
  }
  answer(answer_fd, read());
  ::_exit(0);
}

struct Heard {
  std::string text;
  bool in_time = true, too_long = false;
};

// Until the child is gone: it has no call that would close its end before.
Heard listen(int fd, std::int64_t ms_max) {
  Heard heard;
  const std::int64_t deadline_ns = boot_ns() + ms_max * ns_per_ms;
  std::array<char, 4096> part{};
  for (;;) {
    const std::int64_t left_ms = (deadline_ns - boot_ns()) / ns_per_ms;
    pollfd ready = {fd, POLLIN, 0};
    const int found = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left_ms, 0)));
    if (found < 0 && errno == EINTR) continue;
    if (found <= 0) {
      heard.in_time = false;
      return heard;
    }
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return heard;
    heard.text.append(part.data(), static_cast<std::size_t>(n));
    heard.too_long = heard.text.size() > answer_bytes_max;
    if (heard.too_long) return heard;
  }
}

int bury(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Confined judge(Heard heard, int status, std::int64_t ms_max) {
  constexpr const char* next = "; the file may be made to do this: do not drop it";
  if (heard.too_long) return {Verdict::crashed, std::string("its reader answered without end") + next};
  if (!heard.in_time)
    return {Verdict::timeout, fmt::format("its reader was not done after {} ms{}", ms_max, next)};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    return {Verdict::skipped, "not checked: its reader was killed from outside; try again"};
  if (WIFSIGNALED(status))
    return {Verdict::crashed,
            fmt::format("its reader ended by {}{}{}", child::name_signal(WTERMSIG(status)),
                        WTERMSIG(status) == SIGSYS ? ", on a call that no reader has need of" : "", next)};
  if (WEXITSTATUS(status) == exit_code_no_walls)
    return {Verdict::skipped, fmt::format("not checked: its reader cannot be confined: {}", heard.text)};
  if (WEXITSTATUS(status) != 0)
    return {Verdict::crashed, fmt::format("its reader exited with {}{}", WEXITSTATUS(status), next)};
  return {Verdict::pass, std::move(heard.text)};
}

}  // namespace

Confined run_confined(const std::function<std::string()>& read, std::int64_t ms_max) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return {Verdict::skipped, fmt::format("not checked: no pipe: {}", std::strerror(errno))};
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return {Verdict::skipped, fmt::format("not checked: no process: {}", std::strerror(errno))};
  if (child == 0) live(read, theirs.get(), ms_max, parent);
  theirs.reset();
  Heard heard = listen(ours.get(), ms_max);
  if (!heard.in_time || heard.too_long) ::kill(child, SIGKILL);
  return judge(std::move(heard), bury(child), ms_max);
}

}  // namespace cape::check
