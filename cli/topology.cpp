// `cape topology list`: what is subscribed to what, and how much waits.
#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/canary_table.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/stored.hpp"

namespace cape::cli {
namespace {

constexpr Column topology_columns[] = {{"TOPOLOGY", "topology"},
                                       {"DOMAIN", "domain"},
                                       {"MODE", "mode"},
                                       {"LAMBDAS", "lambdas"},
                                       {"BEHIND", "behind"},
                                       {"PARKED", "parked"},
                                       {"STUCK", "stuck"},
                                       {"LATE", "late"},
                                       {"EVENTS/S", "events_per_s"},
                                       {"IN FLIGHT", "jobs_in_flight"},
                                       {"CHILDREN", "children"},
                                       {"SANDBOX", "sandbox_level"}};

Ending run_topology_list(const Context& context) {
  const auto config = load(context);
  if (!config) return config.error();
  Answer answer = ask_broker(*config, "topologies", "{}");
  if (!answer && answer.error().exit == Exit::no_broker) {
    note("no broker answers; the counts are those of the stored records");
    answer = stored_topologies(*config);
  }
  if (!answer) return answer.error();

  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  const std::string rows = list_table(*answer, "topologies", topology_columns);
  say_block(rows.empty() ? "no topology is configured; add [topology.NAME] to the config file\n" : rows);
  say_block(canary_table(*answer));
  return Exit::done;
}

}  // namespace

void add_topology(CLI::App& app, Context& context) {
  Command command(app, "topology", "Show the topologies");
  Command list = command.subcommand(
      "list", "List topologies: what they do now, and the subjects that are behind or parked");
  list.footer("\nExamples:\n  cape topology list\n  cape topology list --json");
  list.on_chosen([&context] {
    context.run = [&context] { return run_topology_list(context); };
    return std::string();
  });
}

}  // namespace cape::cli
