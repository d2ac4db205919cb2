// `cape plugin promote`, `cape plugin rollback`: the end of a canary by hand.
#include <fmt/format.h>

#include <memory>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "cli/stored.hpp"

namespace cape::cli {
namespace {

struct CanaryArguments {
  std::string plugin, topology, reason;
  bool dry_run = false;
};

constexpr Column lambda_columns[] = {{"TOPOLOGY", "topology"}, {"LAMBDA", "lambda"}, {"VERDICT", "verdict"}};

Ending run_canary_act(const Context& context, const CanaryArguments& arguments, const char* act) {
  const auto config = load(context);
  if (!config) return config.error();
  const std::string body =
      fmt::format("{{\"act\":\"{}\",\"plugin\":{},\"topology\":{},\"reason\":{},\"dry_run\":{}}}", act,
                  json_string(arguments.plugin), json_string(arguments.topology),
                  json_string(arguments.reason), arguments.dry_run);
  const Answer answer = ask_broker(*config, "canary", body);
  if (!answer) return answer.error();
  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  if (arguments.dry_run) note("nothing is changed; this is what would be");
  say_block(list_table(*answer, "lambdas", lambda_columns));
  return Exit::done;
}

void add_act(Command& plugin, Context& context, const char* act, const char* description,
             const char* footer) {
  Command command = plugin.subcommand(act, description);
  auto arguments = std::make_shared<CanaryArguments>();  // lives as long as the callbacks
  command.argument("PLUGIN", arguments->plugin, "The plugin's id");
  command.option("--topology", arguments->topology, "NAME", "Of this topology alone");
  command.option("--reason", arguments->reason, "TEXT", "Why, for the audit; at most 256 bytes");
  command.flag("--dry-run", arguments->dry_run, "Change nothing, tell what would be done");
  command.footer(footer);
  command.on_chosen([&context, arguments, act] {
    context.run = [&context, arguments, act] { return run_canary_act(context, *arguments, act); };
    return std::string();
  });
}

}  // namespace

void add_plugin_canary(Command& plugin, Context& context) {
  add_act(
      plugin, context, "promote", "Give every subject the version that a canary tries",
      "\nOf lambdas with `canary` in the config. A version that was rolled back and whose file still lies in "
      "a "
      "plugin\ndirectory can be promoted, too.\n"
      "\nExamples:\n  cape plugin promote audit_log --reason 'looked at 200 by hand'\n  cape plugin promote "
      "audit_log --dry-run");
  add_act(plugin, context, "rollback", "Take every subject away from the version that a canary tries",
          "\nThe version is not tried again while its file lies in a plugin directory.\n"
          "\nExamples:\n  cape plugin rollback audit_log --topology audit");
}

}  // namespace cape::cli
