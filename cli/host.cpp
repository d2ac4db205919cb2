// `cape host`: a worker host alone; it connects to a broker and waits for one as long as it takes.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <zmq.hpp>

#include "cli/client_keys.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/serving.hpp"
#include "core/config/endpoint.hpp"
#include "core/log.hpp"
#include "host/worker/host_loop.hpp"
#include "wire/zmq/host_transport.hpp"

namespace cape::cli {
namespace {

struct HostArguments {
  std::string name, connect;
};

// The machine's name, as far as a host's name may hold it.
std::string machine_name() {
  char name[64] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "host";
  std::string out = name;
  std::ranges::replace_if(
      out, [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '_'; }, '-');
  return out;
}

bool is_everywhere(const std::string& endpoint) {
  return endpoint.starts_with("tcp://*:") || endpoint.starts_with("tcp://0.0.0.0:") ||
         endpoint.starts_with("tcp://[::]:");
}

// What is wrong with where it is to connect; empty: nothing.
std::string connect_mistake(const Config& config) {
  const auto endpoint =
      parse_endpoint(config.host.connect, config.keys_dir.empty() ? Reach::loopback : Reach::anywhere);
  if (!endpoint) return endpoint.error().message;
  if (!is_everywhere(config.host.connect)) return {};
  return fmt::format(
      "{} is where a broker listens, not where one is; give the broker's address with --connect or as "
      "connect in [host]",
      shown(config.host.connect));
}

// A broker that ends sends its hosts away; the next one takes them again, in a new loop.
Result<void> serve(const Config& config, const Hold& hold, int stop_fd) {
  auto keys = client_keys(config, wire::Role::host, config.host.connect);
  if (!keys) return std::unexpected(keys.error());
  zmq::context_t zmq(1);
  auto transport = wire::open_host_end(zmq, config.host.connect, *keys);
  if (!transport) return std::unexpected(transport.error());
  log::info("host", "host '{}' serves the broker at {}", config.host.name, config.host.connect);
  for (bool first = true;; first = false) {
    auto loop = host::HostLoop::make({.config = config,
                                      .transport = **transport,
                                      .name = config.host.name,
                                      .home = hold.home,
                                      .life_fd = hold.life.get(),
                                      .stop_fd = stop_fd,
                                      .on_ready = [first] {
                                        if (first) say("ready");
                                      }});
    if (!loop) return std::unexpected(loop.error());
    if (auto end = (*loop)->run(); !end) return end;
    if (!(*loop)->sent_away()) return {};
    log::info("host", "the broker at {} is ending; waiting for the next one", config.host.connect);
  }
}

Ending run_host(const Context& context, const HostArguments& arguments) {
  auto config = load_served(context);
  if (!config) return config.error();
  if (!arguments.name.empty()) config->host.name = arguments.name;
  if (!arguments.connect.empty()) config->host.connect = arguments.connect;
  if (config->host.name.empty()) config->host.name = machine_name();
  if (const std::string mistake = connect_mistake(*config); !mistake.empty())
    return complain(Exit::usage, mistake);
  if (!is_host_name(config->host.name))
    return complain(
        Exit::usage,
        fmt::format("'{}' is no name for a host; --name takes letters, digits, '.', '_' and '-', 1 to "
                    "63 in all",
                    shown(config->host.name)));
  auto signals = take_signals();
  if (!signals) return complain(Exit::failed, signals.error());
  auto hold = take_hold(*config, storage::Part::host);
  if (!hold) return complain(Exit::failed, hold.error());
  if (auto end = serve(*config, *hold, signals->get()); !end) return complain(Exit::failed, end.error());
  return Exit::done;
}

}  // namespace

void add_host(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("host", "Run a worker host that connects to a broker");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto arguments = std::make_shared<HostArguments>();
  command->add_option("--name", arguments->name,
                      "This host's name, for people; else [host] name, else the machine's");
  command->add_option("--connect", arguments->connect,
                      "The broker's endpoint for hosts; else [host] connect, else [listen] hosts");
  command->footer(
      "\nPrints `ready` on stdout when a broker has taken it for the first time; logs go to stderr. SIGTERM "
      "drains, a\n"
      "second one ends at once. It has a data_dir of its own on each machine: plugins keep their state "
      "there.\n"
      "\nExamples:\n  cape host\n  cape --config host.toml host --name left --connect tcp://10.0.0.5:7071");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return run_host(context, *arguments); };
  });
}

}  // namespace cape::cli
