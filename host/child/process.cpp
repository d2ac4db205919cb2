#include "host/child/process.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "host/child/sandbox/identity.hpp"
#include "host/child/sandbox/running_process.hpp"
#include "host/child/sandbox/start.hpp"
#include "host/child/setup.hpp"
#include "host/child/spare.hpp"

namespace cape::child {
namespace {

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

// A group that cannot be had is a layer that is missing, not an error.
void limit_group(const RunningProcess& process, const CgroupLimits& limits, int version, Setup& setup) {
  const Result<void> limited = process.group().exists()
                                   ? process.group().limit(limits)
                                   : fail(ErrorCode::unavailable, process.group_missing());
  if (limited) {
    setup.cgroup_version = static_cast<std::uint32_t>(version);
    return;
  }
  setup.cgroup_missing = limited.error().message;
  if (limits.cores > 0) setup.cgroup_missing += " (so limits.cpu is not kept)";
}

Result<Setup> settle(const ChildSpec& spec, const MachineFacts& facts, const SharedMemory& memory) {
  const Result<Identity> identity = choose_identity(spec, salt_of(memory.response_fd()));
  if (!identity) return std::unexpected(identity.error());
  if (spec.grant.state)
    if (Result<void> done = prepare_state_dir(spec.state_dir, *identity); !done)
      return std::unexpected(done.error());
  Setup setup = make_setup(spec, *identity, memory.ring_bytes());
  if (Result<void> done = apply(facts, spec, setup); !done) return std::unexpected(done.error());
  return setup;
}

// A failure ends the runner by its destructor.
Result<std::unique_ptr<ChildProcess>> begin(std::unique_ptr<RunningProcess> process, const ChildSpec& spec,
                                            const MachineFacts& facts, std::uint8_t setup_kind) {
  Result<SharedMemory> memory =
      SharedMemory::make(ring_bytes_for(spec.ring_bytes, spec.payload_bytes_max + spec.inputs_bytes_max));
  if (!memory) return std::unexpected(memory.error());
  Result<Setup> setup = settle(spec, facts, *memory);
  if (!setup) return std::unexpected(setup.error());
  setup->kind = setup_kind;
  const CgroupLimits limits = group_limits(spec, memory->ring_bytes());
  limit_group(*process, limits, facts.cgroups.version, *setup);
  if (setup->cgroup_version == 0) process->set_memory_most(limits.memory_bytes);
  const Result<UniqueFd> sealed = sealed_memfd("cape-setup", setup->encode());
  if (!sealed) return std::unexpected(sealed.error());
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail_errno(ErrorCode::io, "open /dev/null", errno);
  const GivenFds given{.plugin = spec.image->memfd.get(),
                       .setup = sealed->get(),
                       .life = spec.life_fd >= 0 ? spec.life_fd : null.get()};
  if (Result<void> begun = process->begin(std::move(*memory), given); !begun)
    return std::unexpected(begun.error());
  return process;
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
  Result<std::unique_ptr<RunningProcess>> runner = start_runner(facts, !spec.grant.network.empty());
  if (!runner) return std::unexpected(runner.error());
  return begin(std::move(*runner), spec, facts, setup_kind);
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildSpec& spec, Spare* spare) {
  const Result<MachineFacts>& facts = machine_facts();
  if (!facts) return std::unexpected(facts.error());
  const auto kind = static_cast<std::uint8_t>(spec.kind);
  std::unique_ptr<RunningProcess> waiting = spare != nullptr ? spare->take(spec) : nullptr;
  if (waiting) return begin(std::move(waiting), spec, *facts, kind);
  return start_process(spec, *facts, kind);
}

}  // namespace cape::child
