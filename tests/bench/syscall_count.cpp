#include "tests/bench/syscall_count.hpp"

#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace cape::bench {
namespace {

constexpr const char* tracing = "/sys/kernel/tracing";
constexpr const char* tracepoint = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";

std::uint64_t read_id() {
  std::ifstream file(tracepoint);
  std::uint64_t id = 0;
  file >> id;
  return id;
}

// As read_id() where nobody has mounted tracefs: for a child alone. 0: it may not.
std::uint64_t read_id_in_namespace() {
  int ends[2];
  if (::pipe(ends) != 0) return 0;
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    std::uint64_t id = 0;
    if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("tracefs", tracing, "tracefs", 0, nullptr) == 0)
      id = read_id();
    ::_exit(::write(out.get(), &id, sizeof id) == sizeof id ? 0 : 1);
  }
  out.reset();
  std::uint64_t id = 0;
  if (::read(in.get(), &id, sizeof id) != sizeof id) id = 0;
  if (child > 0) ::waitpid(child, nullptr, 0);
  return id;
}

}  // namespace

Result<SyscallCount> SyscallCount::of(pid_t thread) {
  std::uint64_t id = read_id();
  if (id == 0) id = read_id_in_namespace();
  if (id == 0)
    return fail(ErrorCode::unavailable,
                std::string(tracepoint) + " cannot be read; mount tracefs, run as root");
  perf_event_attr wish = {};
  wish.size = sizeof wish;
  wish.type = PERF_TYPE_TRACEPOINT;
  wish.config = id;
  UniqueFd fd(static_cast<int>(::syscall(SYS_perf_event_open, &wish, thread, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd) return fail_errno(ErrorCode::unavailable, "perf_event_open (kernel.perf_event_paranoid?)", errno);
  return SyscallCount(std::move(fd));
}

std::uint64_t SyscallCount::read() const {
  std::uint64_t count = 0;
  return ::read(fd_.get(), &count, sizeof count) == sizeof count ? count : 0;
}

}  // namespace cape::bench
