#include "tests/bench/syscall_count.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace cape::bench {
namespace {

constexpr const char* tracepoint = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";

}  // namespace

Result<SyscallCount> SyscallCount::of(pid_t thread) {
  std::uint64_t id = 0;
  if (!(std::ifstream(tracepoint) >> id))
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
