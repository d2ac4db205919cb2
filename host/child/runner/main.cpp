// cape-runner: puts the sandbox on, then lets the plugin in. The process that the host made becomes the
// reaper; its child becomes the plugin's process. An error before serve() ends it with last words and
// exit_code_setup.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "host/child/runner/runner.hpp"
#include "host/child/runner/sandbox.hpp"
#include "host/child/sandbox/setup_kinds.hpp"

namespace cape::child {
namespace {

void clear_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  for (const int quiet : {SIGPIPE, SIGXFSZ}) ::signal(quiet, SIG_IGN);  // the call that failed tells it
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void* map(int fd, int protection) {
  struct stat file = {};
  if (fstat(fd, &file) != 0) return nullptr;
  void* at = mmap(nullptr, static_cast<std::size_t>(file.st_size), protection, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : at;
}

Result<Setup> read_setup() {
  struct stat file = {};
  if (fstat(fd_setup, &file) != 0) return fail_errno(ErrorCode::io, "setup", errno);
  std::string bytes(static_cast<std::size_t>(file.st_size), '\0');
  if (pread(fd_setup, bytes.data(), bytes.size(), 0) != file.st_size)
    return fail_errno(ErrorCode::io, "setup", errno);
  return Setup::decode(bytes);
}

// Until the host has mapped our ids nothing can be mounted, and until it knows a plugin for us there is
// nothing to do; if it dies before, so do we. The descriptors come on the lowest free numbers, which are
// theirs.
void wait_for_go() {
  char go = 0;
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof fds_given)];
  iovec bytes = {&go, 1};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  ssize_t got = 0;
  while ((got = recvmsg(fd_control, &message, 0)) < 0 && errno == EINTR) {
  }
  const cmsghdr* carried = CMSG_FIRSTHDR(&message);
  const bool all = got == 1 && carried != nullptr && carried->cmsg_len == CMSG_LEN(sizeof fds_given) &&
                   std::memcmp(CMSG_DATA(carried), fds_given.data(), sizeof fds_given) == 0;
  if (!all) _exit(exit_code_setup);
}

// One step after the other; the first that fails ends the child in `phase` sandbox.
class Steps {
 public:
  Steps(RunnerContext& context, Layers& layers) : context_(context), layers_(layers) {}

  void must(std::string_view step, const Result<void>& done) const {
    if (!done) give_up(std::string(step) + ": " + done.error().message);
  }
  // A layer that the kernel may refuse: it is then named as missing.
  void layer(std::string_view name, const Result<void>& done) const {
    if (done) return layers_.on(std::string(name));
    if (done.error().code != ErrorCode::unavailable) give_up(std::string(name) + ": " + done.error().message);
    layers_.off(name, done.error().message);
  }
  [[noreturn]] void give_up(const std::string& why) const {
    fail_setup(context_.response, Phase::sandbox, why);
  }

 private:
  RunnerContext& context_;
  Layers& layers_;
};

void note_namespaces(const Setup& setup, Layers& layers) {
  layers.on("process");
  for (const char* name : {"userns", "pidns", "ipcns", "netns"}) {
    const bool shared = std::string_view(name) == "netns" && !setup.network.empty();
    if (shared) continue;  // of landlock and seccomp then, which are required
    if (setup.namespaces)
      layers.on(name);
    else
      layers.off(name, "this machine refuses user namespaces; allow them (user.max_user_namespaces)");
  }
  if (setup.cgroup_version != 0)
    layers.on("cgroup:v" + std::to_string(setup.cgroup_version));
  else
    layers.off("cgroup", setup.cgroup_missing.empty() ? "not joined" : setup.cgroup_missing);
}

void change_root(RunnerContext& context, const Steps& steps) {
  Result<std::string> inside = fail(ErrorCode::unavailable, "no user namespace");
  if (context.setup.namespaces) inside = enter_root(context.setup, fd_plugin);
  steps.layer("mountns", inside ? Result<void>() : std::unexpected(inside.error()));
  if (!inside) inside = stay_in_host_root(context.setup);
  if (!inside) steps.give_up(inside.error().message);
  context.plugin_path = *inside;
  if (!context.setup.namespaces) return;
  // The machine's name is nobody's business in there.
  if (sethostname("cape", 4) != 0) steps.must("host name", fail_errno(ErrorCode::io, "sethostname", errno));
}

// The library is read through its descriptor when it is not in a directory of its own.
void close_all_but_own(bool keep_plugin) {
  for (const int fd : {static_cast<int>(fd_request), static_cast<int>(fd_response),
                       static_cast<int>(fd_setup), static_cast<int>(fd_reaper)})
    close(fd);
  if (!keep_plugin) close(fd_plugin);
  syscall(SYS_close_range, fd_life + 1, ~0u, 0);
}

void judge(const RunnerContext& context, const Steps& steps) {
  const SandboxReport& have = context.sandbox;
  if (have.level <= context.setup.require_level) return;
  steps.give_up(std::string("sandbox level ") + have.level + " is below the required level " +
                context.setup.require_level + "; missing: " + have.missing +
                ". Give the machine these layers, or accept less with `sandbox = { require = \"" +
                have.level + "\" }` in cape.toml");
}

bool is_pure(const Setup& setup) {
  return setup.read.empty() && setup.write.empty() && setup.code.empty() && setup.state_dir.empty();
}

// What no level goes without: of layers that stand in for each other, one has to be there.
void insist(const RunnerContext& context, const Layers& layers, const Steps& steps) {
  const bool sees_own_files_alone = layers.has("mountns") || layers.has_landlock();
  const std::string missing = "; missing: " + layers.report().missing;
  if (layers.has("seccomp")) {
    if (is_pure(context.setup) || sees_own_files_alone) return;  // pure: its second stage opens nothing
    steps.give_up("a grant of files needs mounts or landlock, and this kernel refuses both" + missing +
                  ". Take read, write and state out of the grant, or give the machine one of them");
  }
  // Then a plugin may start processes and close what tells of its end: pid 1 takes them all with it.
  if (layers.has("pidns") && sees_own_files_alone) return;
  steps.give_up("without seccomp a plugin runs only with user namespaces and mounts or landlock" + missing +
                ". Give the machine these layers: no sandbox.require makes up for them");
}

// With the host's network in sight nothing but the ports of the grant may be reached, whatever level is asked
// for.
void note_network(const Setup& setup, Layers& layers, const Steps& steps) {
  if (!layers.has_landlock())
    steps.give_up(
        "grant.network needs landlock ABI 4 (Linux 6.7), which this kernel has not. Take network out of the "
        "grant");
  std::string ports;
  for (const std::uint16_t port : setup.network) ports += (ports.empty() ? "" : "+") + std::to_string(port);
  layers.on("net:" + ports);
}

// What probe_sandbox() asks for: the verdict travels as text, and the process ends as if nothing had failed.
[[noreturn]] void report_probe(RunnerContext& context, const std::string& escapes) {
  std::string verdict(1, escapes.empty() ? context.sandbox.level : 'D');
  verdict += context.sandbox.missing;
  if (!escapes.empty()) verdict += "; could still " + escapes;
  fail_setup(context.response, Phase::done, verdict);
}

[[noreturn]] void run_plugin_process(RunnerContext& context, Layers& layers, pid_t reaper) {
  const Steps steps(context, layers);
  steps.layer("userns2", context.setup.namespaces ? enter_nested_userns()
                                                  : fail(ErrorCode::unavailable, "no user namespace"));
  layers.on("caps");
  steps.must("parent", bind_to_parent());
  if (getppid() != reaper) _exit(exit_code_setup);
  layers.on("pdeathsig");
  close_all_but_own(!layers.has("mountns"));
  steps.must("limits", set_limits(context.setup, layers));
  layers.on("rlimit");
  steps.must("no_new_privs", forbid_new_privileges());
  layers.on("nnp");
  const Result<int> landlock = enter_landlock(context.setup, context.plugin_path);
  steps.layer(landlock ? "landlock:" + std::to_string(*landlock) : "landlock",
              landlock ? Result<void>() : std::unexpected(landlock.error()));
  if (!context.setup.network.empty()) note_network(context.setup, layers, steps);
  const bool probe = context.setup.kind == setup_kind_probe;
  const std::string escapes = probe ? try_to_escape() : std::string();
  steps.must("last words", install_last_words(context.response));
  steps.layer("seccomp", install_filter(context.setup.seccomp_guard, false));
  context.filtered = layers.has("seccomp");
  if (context.filtered)
    steps.must("seccomp", install_filter(context.setup.seccomp_load, false));
  else if (!context.setup.network.empty())
    steps.give_up("grant.network needs seccomp, which this kernel refuses");
  context.sandbox = layers.report();
  if (probe) report_probe(context, escapes);
  judge(context, steps);
  insist(context, layers, steps);
  _exit(serve(context));
}

void name_process(const Setup& setup) {
  const std::string name = "cape:" + (setup.lambda.empty() ? setup.domain : setup.lambda);
  prctl(PR_SET_NAME, name.c_str());  // the kernel cuts it at 15 bytes
}

// `title` is an argument, of blanks.
void write_title(const Setup& setup, std::span<char> title) {
  const std::string& of_source = setup.domain.empty() ? setup.plugin_file : setup.domain;
  const std::string text = setup.lambda.empty() ? of_source : setup.topology + "/" + setup.lambda;
  std::ranges::fill(title, '\0');
  std::copy_n(text.begin(), std::min(text.size(), title.size()), title.begin());
}

[[noreturn]] void run(std::span<char> title) {
  wait_for_go();
  RunnerContext context;
  context.request = static_cast<const RequestHeader*>(map(fd_request, PROT_READ));
  context.response = static_cast<ResponseHeader*>(map(fd_response, PROT_READ | PROT_WRITE));
  if (!context.request || !context.response) _exit(exit_code_setup);
  context.response->magic = layout_magic;
  Result<Setup> setup = read_setup();
  if (!setup) fail_setup(context.response, Phase::start, setup.error().message);
  context.setup = std::move(*setup);
  write_title(context.setup, title);

  context.response->phase.store(static_cast<std::uint32_t>(Phase::sandbox));
  Layers layers;
  const Steps steps(context, layers);
  note_namespaces(context.setup, layers);
  change_root(context, steps);
  steps.must("privileges", drop_to(context.setup, layers));
  steps.must("no_new_privs", forbid_new_privileges());
  steps.must("parent", bind_to_parent());

  const pid_t reaper = getpid();
  const pid_t plugin = fork();
  if (plugin < 0) steps.give_up("fork of the plugin's process failed");
  if (plugin > 0) reap({.plugin = plugin, .request = context.request});
  name_process(context.setup);
  run_plugin_process(context, layers, reaper);
}

}  // namespace
}  // namespace cape::child

int main(int argc, char** argv) {
  cape::child::clear_signals();
  cape::child::run(argc > 1 ? std::span(argv[1], std::strlen(argv[1])) : std::span<char>());
}
