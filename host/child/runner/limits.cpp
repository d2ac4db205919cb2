#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t main_stack_bytes = 8 * mib;
constexpr std::uint64_t thread_stack_bytes = 2 * mib;   // as the host set it before exec
constexpr std::uint64_t own_bytes = 8 * mib;            // of the runner itself
constexpr std::uint64_t address_slack_bytes = 16384 * mib;  // reserved, not used: malloc arenas, other runtimes
constexpr std::uint64_t files_min = 16;

struct Limit {
  __rlimit_resource resource;
  std::uint64_t value;
  const char* name;
};

// Never above what the host itself may have.
Result<void> set(const Limit& limit) {
  rlimit now = {};
  if (getrlimit(limit.resource, &now) != 0) return fail_errno(ErrorCode::io, limit.name, errno);
  const rlim_t value = std::min<rlim_t>(limit.value, now.rlim_max);
  const rlimit wish = {value, value};
  if (setrlimit(limit.resource, &wish) != 0)
    return fail_errno(ErrorCode::io, std::string("limit of ") + limit.name, errno);
  return {};
}

}  // namespace

// DATA counts every private page that can be written, so thread stacks stand beside memory_bytes. Shared
// anonymous memory is not counted there; the seccomp filters refuse it.
Result<void> set_limits(const Setup& setup, Layers& layers) {
  const bool writes = !setup.write.empty() || !setup.state_dir.empty();
  const std::uint64_t data = setup.memory_bytes + own_bytes + setup.threads * thread_stack_bytes;
  const Limit limits[] = {
      {RLIMIT_DATA, data, "data"},
      {RLIMIT_AS, data + 2 * setup.ring_bytes + address_slack_bytes, "address space"},
      {RLIMIT_STACK, main_stack_bytes, "stack"},
      {RLIMIT_FSIZE, writes ? setup.file_bytes : 0, "file size"},
      {RLIMIT_NOFILE, std::max<std::uint64_t>(setup.files, files_min), "files"},
      {RLIMIT_CORE, 0, "core"},
      {RLIMIT_MEMLOCK, 0, "locked memory"},
      {RLIMIT_MSGQUEUE, 0, "message queues"},
      {RLIMIT_NICE, 0, "nice"},
      {RLIMIT_RTPRIO, 0, "realtime"},
      {RLIMIT_SIGPENDING, 64, "pending signals"},
  };
  for (const Limit& limit : limits)
    if (Result<void> done = set(limit); !done) return done;
  // Counted per user id: a limit on an id that others use would be theirs to fill. In a user namespace of
  // its own the child is counted alone.
  const bool alone = setup.own_uid || (layers.has("userns2") && setup.inner_uid != 0);
  const bool grouped = setup.cgroup_version != 0;  // which counts them, whoever they belong to
  if (!alone && !grouped) layers.off("threads", "not counted for an id that others use");
  if (!alone) return {};
  if (Result<void> done = set({RLIMIT_NPROC, setup.threads + 1ull, "threads"}); !done) return done;
  return {};
}

}  // namespace cape::child
