// `cape broker`: the broker alone; hosts connect to its socket for hosts.
#include <memory>

#include <CLI/CLI.hpp>
#include <zmq.hpp>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/serving.hpp"
#include "wire/zmq/host_transport.hpp"

namespace cape::cli {
namespace {

struct BrokerParts {
  const Config& config;
  storage::CursorStore& store;
  int life_fd, stop_fd;
};

Result<broker::RunEnd> run_alone(const BrokerParts& parts, const BrokerOptions& options,
                                 std::optional<std::int64_t> until_idle) {
  zmq::context_t zmq(1);
  auto gate = wire::Gate::open(zmq, parts.config.keys_dir);
  if (!gate) return std::unexpected(gate.error());
  auto transport = wire::open_broker_end(zmq, **gate, parts.config.listen.hosts);
  if (!transport) return std::unexpected(transport.error());
  RunProgressLine progress;
  auto dispatcher =
      broker::Dispatcher::make({.config = parts.config,
                                .store = parts.store,
                                .transport = **transport,
                                .zmq = zmq,
                                .gate = **gate,
                                .life_fd = parts.life_fd,
                                .stop_fd = parts.stop_fd,
                                .until_idle_ms = until_idle,
                                .record_file = options.record,
                                .on_ready = [] { say("ready"); },
                                .on_progress = [&](const broker::RunProgress& run) { progress.show(run); }});
  if (!dispatcher) return std::unexpected(dispatcher.error());
  return (*dispatcher)->run();
}

Ending run_broker(const Context& context, const BrokerOptions& options) {
  const auto config = load_served(context);
  if (!config) return config.error();
  const auto until_idle = until_idle_ms(options);
  if (!until_idle) return until_idle.error();
  auto signals = take_signals();
  if (!signals) return complain(Exit::failed, signals.error());
  auto hold = take_hold(*config, storage::Part::broker);
  if (!hold) return complain(Exit::failed, hold.error());
  auto store = open_store(*config);
  if (!store) return complain(Exit::failed, store.error());
  const auto end =
      run_alone({.config = *config, .store = **store, .life_fd = hold->life.get(), .stop_fd = signals->get()},
                options, *until_idle);
  if (!end) return complain(Exit::failed, end.error());
  return ending_of(*end);
}

}  // namespace

void add_broker(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("broker", "Run the broker alone, for hosts that connect");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto options = std::make_shared<BrokerOptions>();
  add_broker_options(*command, *options);
  command->footer(
      "\nHosts connect to [listen] hosts, which is DATA_DIR/run/hosts.sock unless configured.\n"
      "Prints `ready` on stdout when pings are taken; logs go to stderr. SIGTERM drains: hosts finish what "
      "runs and\n"
      "wait for the next broker.\n"
      "\nExamples:\n  cape broker\n  cape --config /etc/cape.toml broker");
  command->callback(
      [&context, options] { context.run = [&context, options] { return run_broker(context, *options); }; });
}

}  // namespace cape::cli
