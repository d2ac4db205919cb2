#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "host/child/intake.hpp"
#include "host/child/sandbox/identity.hpp"
#include "host/child/sandbox/running_process.hpp"
#include "host/child/sandbox/start.hpp"

namespace cape::child {
namespace {

struct Ends {
  ProcessEnds ours;
  UniqueFd control, reaper, errors;  // the child's
};

Result<void> join_by_sockets(int type, UniqueFd& ours, UniqueFd& theirs) {
  int pair[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(ErrorCode::unavailable, "socket pair of a child", errno);
  ours = UniqueFd(pair[0]);
  theirs = UniqueFd(pair[1]);
  return {};
}

Result<Ends> make_ends() {
  Ends ends;
  if (Result<void> done = join_by_sockets(SOCK_SEQPACKET, ends.ours.control, ends.control); !done)
    return std::unexpected(done.error());
  if (Result<void> done = join_by_sockets(SOCK_STREAM, ends.ours.reaper, ends.reaper); !done)
    return std::unexpected(done.error());
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return fail_errno(ErrorCode::unavailable, "stderr pipe of a child", errno);
  ends.ours.errors = UniqueFd(pipe[0]);
  ends.errors = UniqueFd(pipe[1]);
  // Ours alone: a child that writes more than we read waits.
  fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  return ends;
}

// The process, in its namespaces and its control group.
Result<Spawned> make_process(const MachineFacts& facts, bool host_network, const ChildGroup& group,
                             const Ends& ends) {
  const Result<fs::path> program = runner_path();
  if (!program) return std::unexpected(program.error());
  const Result<GroupDoors> doors = group.open_doors();
  if (!doors) return std::unexpected(doors.error());
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail_errno(ErrorCode::io, "open /dev/null", errno);
  return spawn({.program = *program,
                .namespaces = facts.namespaces,
                .host_network = host_network,
                .doors = &*doors,
                .null_fd = null.get(),
                .stderr_fd = ends.errors.get(),
                .control_fd = ends.control.get(),
                .reaper_fd = ends.reaper.get()});
}

}  // namespace

Result<std::unique_ptr<RunningProcess>> start_runner(const MachineFacts& facts, bool host_network) {
  Result<ChildGroup> group = facts.cgroups.version == 0 ? fail(ErrorCode::unavailable, facts.cgroups.missing)
                                                        : ChildGroup::make(facts.cgroups);
  std::string group_missing = group ? "" : group.error().message;
  if (!group) group = ChildGroup();
  Result<Ends> ends = make_ends();
  if (!ends) return std::unexpected(ends.error());
  Result<Spawned> spawned = make_process(facts, host_network, *group, *ends);
  if (!spawned) return std::unexpected(spawned.error());
  const bool in_group = spawned->in_group;
  auto process = std::make_unique<RunningProcess>(ChildParts{.group = std::move(*group),
                                                             .group_missing = std::move(group_missing),
                                                             .ends = std::move(ends->ours),
                                                             .spawned = std::move(*spawned),
                                                             .namespaces = facts.namespaces});
  // From here on a failure ends the child by its destructor.
  if (!in_group)
    if (Result<void> joined = process->group().join(process->pid()); !joined)
      return std::unexpected(joined.error());
  if (Result<void> watched = process->watch(); !watched) return std::unexpected(watched.error());
  if (facts.namespaces)
    if (Result<void> mapped = map_ids(process->pid()); !mapped) return std::unexpected(mapped.error());
  return process;
}

}  // namespace cape::child
