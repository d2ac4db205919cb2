// `cape monitor`: what runs, how fast, what is behind, as the broker publishes it.
#include <fmt/format.h>
#include <unistd.h>
#include <memory>

#include "cli/answer.hpp"
#include "cli/canary_table.hpp"
#include "cli/client_keys.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/msgpack_text.hpp"
#include "core/config/units.hpp"
#include "wire/monitor_client.hpp"

namespace cape::cli {
namespace {

struct MonitorArguments {
  bool once = false;
  std::string timeout = "3s";  // a message comes each second
};

constexpr Column monitor_columns[] = {{"TOPOLOGY", "topology"},
                                      {"EVENTS/S", "events_per_s"},
                                      {"JOBS/S", "jobs_per_s"},
                                      {"P50 US", "latency_us.p50"},
                                      {"P95 US", "latency_us.p95"},
                                      {"P99 US", "latency_us.p99"},
                                      {"IN FLIGHT", "jobs_in_flight"},
                                      {"BEHIND", "behind"},
                                      {"PARKED", "parked"},
                                      {"STUCK", "stuck"},
                                      {"LATE", "late"},
                                      {"CHILDREN", "children"},
                                      {"SANDBOX", "sandbox_level"}};

Ending not_watched(const Error& error) {
  return complain(error.code == ErrorCode::unavailable ? Exit::no_broker : Exit::failed,
                  shown(error.message));
}

std::string heading_of(const std::string& message) {
  const auto text = [&](std::string_view key) { return shown(field_text(message, key)); };
  std::string lines =
      fmt::format("up {} s, hosts {}, events done {}, jobs in flight {}, sandbox {}\n", text("uptime_s"),
                  text("hosts"), text("events_done"), text("jobs_in_flight"), text("sandbox_level"));
  if (text("store_trouble") != "-") lines += fmt::format("the store: {}\n", text("store_trouble"));
  if (text("waiting_for_hosts") != "-")
    lines += fmt::format("waiting for hosts: {}\n", text("waiting_for_hosts"));
  return lines + "\n";
}

void show(const Context& context, const std::string& message, bool clear) {
  if (context.json) return say(message);
  if (clear) say_block("\x1b[H\x1b[2J");
  const std::string rows = list_table(message, "topologies", monitor_columns);
  say_block(heading_of(message) +
            (rows.empty() ? "no topology is configured; add [topology.NAME] to the config file\n" : rows) +
            canary_table(message));
}

Ending run_monitor(const Context& context, const MonitorArguments& arguments) {
  const auto timeout_ms = config::parse_duration_ms(arguments.timeout);
  if (!timeout_ms)
    return complain(Exit::usage, fmt::format("--timeout takes a duration like 30s or 5m, not '{}'",
                                             shown(arguments.timeout)));
  const auto config = load(context);
  if (!config) return config.error();
  const auto keys = client_keys(*config, wire::Role::watch, config->listen.monitor);
  if (!keys) return not_watched(keys.error());
  auto client = wire::MonitorClient::connect(config->listen.monitor, *keys);
  if (!client) return not_watched(client.error());
  const bool clear = !arguments.once && ::isatty(STDOUT_FILENO) == 1;
  while (true) {
    const auto bytes = client->next(*timeout_ms);
    if (!bytes) return not_watched(bytes.error());
    const std::string message = json_of_msgpack(*bytes);
    if (message.empty())
      return complain(
          Exit::failed,
          fmt::format("the broker's message is not a map; is it of this version ({})?", CAPE_VERSION));
    show(context, message, clear);
    if (Ending end = flush_stdout(); arguments.once || end.is_failure()) return end;
  }
}

}  // namespace

void add_monitor(CLI::App& app, Context& context) {
  Command command(app, "monitor", "Watch what runs, how fast, and what is behind");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto arguments = std::make_shared<MonitorArguments>();
  command.flag("--once", arguments->once, "Show one message and end");
  command.option("--timeout", arguments->timeout, "DURATION",
                 "End (exit 4) when the broker is silent for this long; default 3s");
  command.footer(
      "\nThe broker sends its numbers once a second. P50, P95 and P99 are microseconds from a ping to the "
      "start\n"
      "of the handler. BEHIND and PARKED count subjects; - stands for what is not known, and for more than\n"
      "2,000 behind. A broker that starts anew within --timeout is watched on.\n"
      "\nExamples:\n  cape monitor\n  cape monitor --timeout 1m\n  cape monitor --once --json | jq "
      "'.topologies[].behind'");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_monitor(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
