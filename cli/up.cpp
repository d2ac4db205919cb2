// `cape up`: broker and host in one process, the broker's loop on the main thread, the host's on another.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <zmq.hpp>

#include "broker/dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "core/config/units.hpp"
#include "host/worker/host_loop.hpp"
#include "storage/cursor_store.hpp"
#include "storage/life_lock.hpp"
#include "wire/transport.hpp"

namespace cape::cli {
namespace {

constexpr std::int64_t old_children_wait_ms = 30'000;

struct UpOptions {
  bool until_idle = false;
  std::string timeout = "60s";
  std::string record;
};

Exit exit_of(broker::RunEnd end) {
  switch (end) {
    case broker::RunEnd::stopped:
    case broker::RunEnd::idle:
      return Exit::done;
    case broker::RunEnd::idle_stopped:
      return Exit::behind;
    case broker::RunEnd::timed_out:
      return Exit::timed_out;
  }
  return Exit::failed;
}

// SIGTERM and SIGINT as a descriptor. Blocked in every thread made later, so only the broker loop sees them.
Result<UniqueFd> take_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno(ErrorCode::io, "cannot receive signals", errno);
  return fd;
}

Result<void> make_run_dir(const Config& config) {
  std::error_code error;
  fs::create_directories(config.run_dir(), error);
  if (!error) fs::permissions(config.run_dir(), fs::perms::owner_all, error);
  if (error) return fail(ErrorCode::io, "cannot make " + config.run_dir().string() + ": " + error.message());
  return {};
}

// Runs until asked to stop. The host's thread lives inside.
Result<broker::RunEnd> run_both(const Config& config, storage::CursorStore& store, int life_fd, int stop_fd,
                                const UpOptions& options, std::optional<std::int64_t> until_idle_ms) {
  zmq::context_t zmq(1);
  wire::InProcessPair transport = wire::make_in_process_transport();
  auto dispatcher = broker::Dispatcher::make({.config = config,
                                              .store = store,
                                              .transport = *transport.broker,
                                              .zmq = zmq,
                                              .life_fd = life_fd,
                                              .stop_fd = stop_fd,
                                              .until_idle_ms = until_idle_ms,
                                              .record_file = options.record,
                                              .on_ready = [] { say("ready"); }});
  if (!dispatcher) return std::unexpected(dispatcher.error());
  auto host = host::HostLoop::make(
      {.config = config, .transport = *transport.host, .name = "local", .life_fd = life_fd});
  if (!host) return std::unexpected(host.error());

  Result<void> host_end;
  std::thread host_thread([&] {
    host_end = (*host)->run();
    if (!host_end) ::kill(::getpid(), SIGTERM);  // the broker loop drains and ends
  });
  auto end = (*dispatcher)->run();
  (*host)->stop();
  host_thread.join();
  if (!host_end) return std::unexpected(host_end.error());
  return end;
}

Exit run_up(const Context& context, const UpOptions& options) {
  const auto config = load(context);
  if (!config) return config.error();
  std::optional<std::int64_t> until_idle_ms;
  if (options.until_idle) {
    until_idle_ms = config::parse_duration_ms(options.timeout);
    if (!until_idle_ms)
      return complain(Exit::usage, fmt::format("--timeout takes a duration like 60s or 5m, not '{}'",
                                               shown(options.timeout)));
  }
  auto signals = take_signals();
  if (!signals) return complain(Exit::failed, signals.error().message);
  auto lock = storage::DataDirLock::take(config->data_dir);
  if (!lock) return complain(Exit::failed, lock.error().message);
  auto life = storage::take_life_lock(config->data_dir, old_children_wait_ms);
  if (!life) return complain(Exit::failed, life.error().message);
  if (auto made = make_run_dir(*config); !made) return complain(Exit::failed, made.error().message);
  auto store = storage::open_sqlite_store(config->data_dir);
  if (!store) return complain(Exit::failed, store.error().message);
  const auto end = run_both(*config, **store, life->get(), signals->get(), options, until_idle_ms);
  if (!end) return complain(Exit::failed, end.error().message);
  return exit_of(*end);
}

}  // namespace

void add_up(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("up", "Run broker and host in one process");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto options = std::make_shared<UpOptions>();
  command->add_flag("--until-idle", options->until_idle,
                    "End when every event is processed (exit 0), or all that is behind is parked (3)");
  command->add_option("--timeout", options->timeout, "With --until-idle: give up after this long (exit 5)")
      ->capture_default_str();
  command->add_option("--record", options->record,
                      "Write what the scheduler is told to this file, to replay its decisions");
  command->footer(
      "\nPrints `ready` on stdout when pings are taken; logs go to stderr. SIGTERM drains.\n"
      "\nExamples:\n  cape up\n  cape --config /etc/cape.toml up --until-idle --timeout 5m");
  command->callback(
      [&context, options] { context.run = [&context, options] { return run_up(context, *options); }; });
}

}  // namespace cape::cli
