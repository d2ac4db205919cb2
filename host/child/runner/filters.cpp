#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/child/runner/runner.hpp"
#include "host/child/runner/sandbox.hpp"
#include "host/child/sandbox/trapped_calls.hpp"

namespace cape::child {
namespace {

std::vector<sock_filter> with_own_pid(std::string_view program) {
  std::vector<sock_filter> steps(program.size() / sizeof(sock_filter));
  std::memcpy(steps.data(), program.data(), steps.size() * sizeof(sock_filter));
  for (sock_filter& step : steps)
    if (BPF_CLASS(step.code) == BPF_JMP && step.k == own_pid_mark) step.k = static_cast<std::uint32_t>(getpid());
  return steps;
}

// Any other error is a trouble of the moment, not a kernel without filters.
std::unexpected<Error> not_installed(int error) {
  if (error != EINVAL && error != ENOSYS && error != EPERM && error != EACCES)
    return fail_errno(ErrorCode::io, "a filter can not be installed", error);
  errno = error;
  return refused("filters need a kernel with CONFIG_SECCOMP_FILTER and a container that allows seccomp(2)");
}

}  // namespace

Result<void> install_filter(std::string_view program, bool every_thread) {
  std::vector<sock_filter> steps = with_own_pid(program);
  if (steps.empty() || steps.size() > BPF_MAXINSNS) return fail(ErrorCode::invalid, "the seccomp program is empty");
  const sock_fprog wish = {static_cast<unsigned short>(steps.size()), steps.data()};
  const unsigned flags = every_thread ? SECCOMP_FILTER_FLAG_TSYNC : 0;
  const long done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &wish);
  if (done < 0) return not_installed(errno);
  if (done > 0) return fail(ErrorCode::conflict, "a thread has a seccomp filter of its own");
  return {};
}

// Threads that the plugin started in create() come under the filter too. Where the first stage is on, no refusal is
// taken for a lack of the kernel's: the plugin may have brought it about with a filter of its own.
Result<std::string> tighten(const RunnerContext& context) {
  if (!context.filtered) return std::string();
  if (Result<void> done = install_filter(context.setup.seccomp_run, true); !done)
    return std::unexpected(done.error());
  return "seccomp2";
}

}  // namespace cape::child
