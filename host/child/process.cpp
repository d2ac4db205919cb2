#include "host/child/process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "host/child/intake.hpp"
#include "host/child/sandbox/identity.hpp"
#include "host/child/sandbox/running_process.hpp"
#include "host/child/sandbox/start.hpp"
#include "host/child/setup.hpp"

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

std::vector<std::string> texts(const std::vector<fs::path>& paths) {
  return {paths.begin(), paths.end()};
}

Setup make_setup(const ChildSpec& spec, const Identity& identity, std::uint64_t ring_bytes) {
  Setup setup;
  setup.plugin_file = spec.image->file;
  setup.plugin_hash = spec.image->hash;
  setup.plugin_id = spec.image->id;
  setup.domain = spec.domain;
  setup.topology = spec.topology;
  setup.lambda = spec.lambda;
  setup.config_json = spec.config_json;
  setup.drill = spec.drill;
  setup.working_dir = spec.config_dir;
  setup.read = texts(spec.grant.read);
  setup.write = texts(spec.grant.write);
  setup.code = texts(spec.grant.code);
  if (spec.grant.state) setup.state_dir = spec.state_dir;
  setup.network = spec.grant.network;
  setup.inner_uid = identity.uid;
  setup.inner_gid = identity.gid;
  setup.root_host = identity.root_host;
  setup.own_uid = identity.unused;
  setup.replay = spec.replay;
  setup.require_level = spec.require_level;
  setup.memory_bytes = spec.limits.memory_bytes;
  setup.file_bytes = spec.limits.file_bytes;
  setup.ring_bytes = ring_bytes;
  setup.payload_bytes_max = spec.payload_bytes_max;
  setup.timeout_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(spec.timeout_ns, 0));
  setup.timeout_max_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(spec.timeout_max_ns, 0));
  setup.threads = spec.limits.threads;
  setup.files = spec.limits.files;
  setup.output_bytes = spec.limits.output_bytes;
  setup.log_lines_per_s = spec.limits.log_lines_per_s;
  return setup;
}

// Few children have a network: their programs are compiled when the first of them starts.
const Result<FilterSet>& network_filters(Profile profile) {
  static const Result<FilterSet> pure = compile_filters(Profile::pure, Network::tcp);
  static const Result<FilterSet> files = compile_filters(Profile::files, Network::tcp);
  return profile == Profile::pure ? pure : files;
}

Result<void> apply(const MachineFacts& facts, const ChildSpec& spec, Setup& setup) {
  setup.namespaces = facts.namespaces;
  const Profile profile = spec.grant.has_files() ? Profile::files : Profile::pure;
  const FilterSet* filters = profile == Profile::files ? &facts.files : &facts.pure;
  if (!spec.grant.network.empty()) {
    const Result<FilterSet>& wider = network_filters(profile);
    if (!wider) return std::unexpected(wider.error());
    filters = &*wider;
  }
  setup.seccomp_guard = filters->guard;
  setup.seccomp_load = filters->load;
  setup.seccomp_run = filters->run;
  return {};
}

std::string title_of(const ChildSpec& spec) {
  if (spec.lambda.empty()) return spec.domain.empty() ? spec.image->file : spec.domain;
  return spec.topology + "/" + spec.lambda;
}

// Different for each child that lives: what spreads them over ids.
std::uint64_t salt_of(int memfd) {
  struct stat file = {};
  return fstat(memfd, &file) == 0 ? file.st_ino : 0;
}

// What its processes may use together: what the rlimits of the plugin's process allow, which an honest plugin
// so meets first, as an error, and room for what these do not count. Who fills that room is killed.
CgroupLimits group_limits(const ChildSpec& spec, std::uint64_t ring_bytes) {
  constexpr std::uint64_t own_bytes = 32u << 20;   // of reaper and runner, page tables, kernel objects
  constexpr std::uint64_t stack_bytes = 2u << 20;  // of a thread
  constexpr std::uint32_t own_processes = 4;
  const std::uint64_t data_bytes = spec.limits.memory_bytes + spec.limits.threads * stack_bytes;
  return {.memory_bytes = data_bytes + own_bytes + 2 * ring_bytes + 2 * spec.image->bytes,
          .processes = spec.limits.threads + own_processes,
          .cores = spec.limits.cpu_cores};
}

// A group that cannot be made is a layer that is missing, not an error.
ChildGroup make_group(const MachineFacts& facts, const CgroupLimits& limits, Setup& setup) {
  Result<ChildGroup> group = facts.cgroups.version == 0 ? fail(ErrorCode::unavailable, facts.cgroups.missing)
                                                        : ChildGroup::make(facts.cgroups, limits);
  if (group) {
    setup.cgroup_version = static_cast<std::uint32_t>(facts.cgroups.version);
    return std::move(*group);
  }
  setup.cgroup_missing = group.error().message;
  if (limits.cores > 0) setup.cgroup_missing += " (so limits.cpu is not kept)";
  return {};
}

// What exists before the child does.
struct Parts {
  ChildGroup group;
  GroupDoors doors;
  SharedMemory memory;
  Identity identity;
  UniqueFd setup, null;
  Ends ends;
};

Result<Parts> prepare(const ChildSpec& spec, const MachineFacts& facts, std::uint8_t setup_kind) {
  Parts parts;
  Result<SharedMemory> memory =
      SharedMemory::make(ring_bytes_for(spec.ring_bytes, spec.payload_bytes_max + spec.inputs_bytes_max));
  if (!memory) return std::unexpected(memory.error());
  parts.memory = std::move(*memory);
  const Result<Identity> identity = choose_identity(spec, salt_of(parts.memory.response_fd()));
  if (!identity) return std::unexpected(identity.error());
  parts.identity = *identity;
  if (spec.grant.state)
    if (Result<void> done = prepare_state_dir(spec.state_dir, *identity); !done)
      return std::unexpected(done.error());
  Setup setup = make_setup(spec, *identity, parts.memory.ring_bytes());
  setup.kind = setup_kind;
  if (Result<void> done = apply(facts, spec, setup); !done) return std::unexpected(done.error());
  parts.group = make_group(facts, group_limits(spec, parts.memory.ring_bytes()), setup);
  Result<GroupDoors> doors = parts.group.open_doors();
  if (!doors) return std::unexpected(doors.error());
  parts.doors = std::move(*doors);
  Result<UniqueFd> sealed = sealed_memfd("cape-setup", setup.encode());
  if (!sealed) return std::unexpected(sealed.error());
  parts.setup = std::move(*sealed);
  Result<Ends> ends = make_ends();
  if (!ends) return std::unexpected(ends.error());
  parts.ends = std::move(*ends);
  parts.null = UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!parts.null) return fail_errno(ErrorCode::io, "open /dev/null", errno);
  return parts;
}

SpawnOrder order_of(const ChildSpec& spec, const Parts& parts, const fs::path& runner, bool namespaces) {
  const int null = parts.null.get();
  return {.program = runner,
          .title = title_of(spec),
          .namespaces = namespaces,
          .host_network = !spec.grant.network.empty(),
          .doors = &parts.doors,
          .null_fd = null,
          .stderr_fd = parts.ends.errors.get(),
          .fds = {parts.ends.control.get(), parts.memory.request_fd(), parts.memory.response_fd(),
                  spec.image->memfd.get(), parts.setup.get(), parts.ends.reaper.get(),
                  spec.life_fd >= 0 ? spec.life_fd : null}};
}

// The runner waits for this before it touches anything that needs an id.
Result<void> let_go(const RunningProcess& process, const Identity& identity, bool namespaces) {
  if (namespaces)
    if (Result<void> mapped = map_ids(process.pid(), identity); !mapped) return mapped;
  if (send(process.control_fd(), "g", 1, MSG_NOSIGNAL) != 1)
    return fail_errno(ErrorCode::unavailable, "the child ended at once", errno);
  return {};
}

Result<MachineFacts> find_facts() {
  Result<FilterSet> pure = compile_filters(Profile::pure);
  if (!pure) return std::unexpected(pure.error());
  Result<FilterSet> files = compile_filters(Profile::files);
  if (!files) return std::unexpected(files.error());
  return MachineFacts{namespaces_allowed(), std::move(*pure), std::move(*files), find_cgroup_place()};
}

}  // namespace

// Immutable, and the same for every child of this process.
const Result<MachineFacts>& machine_facts() {
  static const Result<MachineFacts> facts = find_facts();
  return facts;
}

Result<std::unique_ptr<ChildProcess>> start_process(const ChildSpec& spec, const MachineFacts& facts,
                                                    std::uint8_t setup_kind) {
  CAPE_CHECK(spec.image != nullptr);
  const Result<fs::path> runner = runner_path();
  if (!runner) return std::unexpected(runner.error());
  Result<Parts> parts = prepare(spec, facts, setup_kind);
  if (!parts) return std::unexpected(parts.error());
  Result<Spawned> spawned = spawn(order_of(spec, *parts, *runner, facts.namespaces));
  if (!spawned) return std::unexpected(spawned.error());
  const bool in_group = spawned->in_group;
  auto process =
      std::make_unique<RunningProcess>(std::move(parts->group), std::move(parts->memory),
                                       std::move(parts->ends.ours), std::move(*spawned), facts.namespaces);
  // From here on a failure ends the child by its destructor.
  if (Result<void> joined = in_group ? Result<void>() : process->group().join(process->pid()); !joined)
    return std::unexpected(joined.error());
  if (Result<void> watched = process->watch(); !watched) return std::unexpected(watched.error());
  if (Result<void> gone = let_go(*process, parts->identity, facts.namespaces); !gone)
    return std::unexpected(gone.error());
  return process;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildSpec& spec) {
  const Result<MachineFacts>& facts = machine_facts();
  if (!facts) return std::unexpected(facts.error());
  return start_process(spec, *facts, static_cast<std::uint8_t>(spec.kind));
}

}  // namespace cape::child
