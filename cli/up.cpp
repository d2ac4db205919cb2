// `cape up`: broker and host in one process, the broker's loop on the main thread, the host's on another.
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <zmq.hpp>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/serving.hpp"
#include "host/worker/host_loop.hpp"
#include "wire/transport.hpp"
#include "wire/zmq/gate.hpp"

namespace cape::cli {
namespace {

struct Parts {
  const Config& config;
  storage::CursorStore& store;
  const Hold& broker;
  const Hold& host;
  int stop_fd;
};

// Runs until asked to stop. The host's thread lives inside.
Result<broker::RunEnd> run_both(const Parts& parts, const BrokerOptions& options,
                                std::optional<std::int64_t> until_idle) {
  zmq::context_t zmq(1);
  auto gate = wire::Gate::open(zmq, parts.config.keys_dir);
  if (!gate) return std::unexpected(gate.error());
  wire::InProcessPair transport = wire::make_in_process_transport();
  RunProgressLine progress;
  auto dispatcher =
      broker::Dispatcher::make({.config = parts.config,
                                .store = parts.store,
                                .transport = *transport.broker,
                                .zmq = zmq,
                                .gate = **gate,
                                .life_fd = parts.broker.life.get(),
                                .stop_fd = parts.stop_fd,
                                .until_idle_ms = until_idle,
                                .record_file = options.record,
                                .on_ready = [] { say("ready"); },
                                .on_progress = [&](const broker::RunProgress& run) { progress.show(run); }});
  if (!dispatcher) return std::unexpected(dispatcher.error());
  auto host = host::HostLoop::make({.config = parts.config,
                                    .transport = *transport.host,
                                    .name = "local",
                                    .home = parts.host.home,
                                    .life_fd = parts.host.life.get()});
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

Ending run_up(const Context& context, const BrokerOptions& options) {
  const auto config = load_served(context);
  if (!config) return config.error();
  const auto until_idle = until_idle_ms(options);
  if (!until_idle) return until_idle.error();
  auto signals = take_signals();
  if (!signals) return complain(Exit::failed, signals.error());
  auto broker = take_hold(*config, storage::Part::broker);
  if (!broker) return complain(Exit::failed, broker.error());
  auto host = take_hold(*config, storage::Part::host);
  if (!host) return complain(Exit::failed, host.error());
  auto store = open_store(*config);
  if (!store) return complain(Exit::failed, store.error());
  const auto end = run_both(
      {.config = *config, .store = **store, .broker = *broker, .host = *host, .stop_fd = signals->get()},
      options, *until_idle);
  if (!end) return complain(Exit::failed, end.error());
  return ending_of(*end);
}

}  // namespace

void add_up(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("up", "Run broker and host in one process");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto options = std::make_shared<BrokerOptions>();
  add_broker_options(*command, *options);
  command->footer(
      "\nPrints `ready` on stdout when pings are taken; logs go to stderr. SIGTERM drains.\n"
      "\nExamples:\n  cape up\n  cape --config /etc/cape.toml up --until-idle --timeout 5m");
  command->callback(
      [&context, options] { context.run = [&context, options] { return run_up(context, *options); }; });
}

}  // namespace cape::cli
