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
  return setup;
}

void apply(const MachineFacts& facts, const ChildSpec& spec, Setup& setup) {
  const FilterSet& filters = spec.grant.empty() ? facts.pure : facts.files;
  setup.namespaces = facts.namespaces;
  setup.seccomp_guard = filters.guard;
  setup.seccomp_load = filters.load;
  setup.seccomp_run = filters.run;
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

// What exists before the child does.
struct Parts {
  SharedMemory memory;
  Identity identity;
  UniqueFd setup, null;
  Ends ends;
};

Result<Parts> prepare(const ChildSpec& spec, const MachineFacts& facts, std::uint8_t setup_kind) {
  Parts parts;
  Result<SharedMemory> memory = SharedMemory::make(ring_bytes_for(spec.ring_bytes, spec.payload_bytes_max + spec.inputs_bytes_max));
  if (!memory) return std::unexpected(memory.error());
  parts.memory = std::move(*memory);
  const Result<Identity> identity = choose_identity(spec, salt_of(parts.memory.response_fd()));
  if (!identity) return std::unexpected(identity.error());
  parts.identity = *identity;
  if (spec.grant.state)
    if (Result<void> done = prepare_state_dir(spec.state_dir, *identity); !done) return std::unexpected(done.error());
  Setup setup = make_setup(spec, *identity, parts.memory.ring_bytes());
  setup.kind = setup_kind;
  apply(facts, spec, setup);
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
  return MachineFacts{namespaces_allowed(), std::move(*pure), std::move(*files)};
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
  auto process = std::make_unique<RunningProcess>(std::move(parts->memory), std::move(parts->ends.ours),
                                                  std::move(*spawned), facts.namespaces);
  // From here on a failure ends the child by its destructor.
  if (Result<void> watched = process->watch(); !watched) return std::unexpected(watched.error());
  if (Result<void> gone = let_go(*process, parts->identity, facts.namespaces); !gone) return std::unexpected(gone.error());
  return process;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildSpec& spec) {
  const Result<MachineFacts>& facts = machine_facts();
  if (!facts) return std::unexpected(facts.error());
  return start_process(spec, *facts, static_cast<std::uint8_t>(spec.kind));
}

}  // namespace cape::child
