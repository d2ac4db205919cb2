// `cape plugin`, and `cape plugin list`: which plugins serve, in which children, at which sandbox level, and
// which are set aside.
#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/stored.hpp"

namespace cape::cli {
namespace {

constexpr Column plugin_columns[] = {
    {"PLUGIN", "id"},       {"VERSION", "version"},  {"KIND", "kind"},     {"STATE", "state"},
    {"SINCE", "since"},     {"CHILDREN", "running"}, {"SANDBOX", "level"}, {"RESTARTS", "restarts"},
    {"GRANTED", "granted"}, {"REFUSED", "refused"},  {"PINNED", "pinned"}, {"CANARY", "canary"}, {"HOST", "host"},
    {"TROUBLE", "trouble"}};
constexpr Column file_columns[] = {
    {"PLUGIN", "id"}, {"VERSION", "version"}, {"HASH", "hash"}, {"SIGNED BY", "signed_by"}, {"FILE", "file"}};
constexpr Column child_columns[] = {
    {"PLUGIN", "id"}, {"VERSION", "version"}, {"LAMBDA", "lambda"},     {"HOST", "host"},
    {"PID", "pid"},   {"SANDBOX", "level"},   {"RESTARTS", "restarts"}, {"RECYCLED", "recycled"},
    {"CPU MS", "cpu_ms"}, {"MEMORY BYTES", "resident_bytes"}, {"MISSING LAYERS", "missing"}};
constexpr Column aside_columns[] = {{"SET ASIDE", "file"}, {"HASH", "hash"}, {"REASON", "reason"}};

void show(const std::string& answer) {
  const std::string plugins = list_table(answer, "plugins", plugin_columns);
  say_block(plugins.empty() ? "no plugin is there; drop a .so into a directory of `plugins`\n" : plugins);
  if (const std::string files = list_table(answer, "plugins", file_columns); !files.empty())
    say_block("\n" + files);
  if (const std::string children = nested_table(answer, "plugins", "children", child_columns);
      !children.empty())
    say_block("\n" + children);
  if (const std::string aside = list_table(answer, "set_aside", aside_columns); !aside.empty())
    say_block("\n" + aside);
}

Ending run_plugin_list(const Context& context) {
  const auto config = load(context);
  if (!config) return config.error();
  Answer answer = ask_broker(*config, "plugins", "{}");
  if (!answer && answer.error().exit == Exit::no_broker) {
    note("no broker answers; these are the files that a host would load and check, and those it sets aside at sight");
    answer = plugin_files(*config);
  }
  if (!answer) return answer.error();
  if (context.json)
    say(one_line(*answer));
  else
    show(*answer);
  return Exit::done;
}

}  // namespace

void add_plugin(CLI::App& app, Context& context) {
  Command command(app, "plugin", "Show, check, run, begin and sign plugins");
  Command list = command.subcommand("list", "List plugins, their children and the files set aside");
  list.footer("\nExamples:\n  cape plugin list\n  cape plugin list --json | jq '.set_aside'");
  list.on_chosen([&context] {
    context.run = [&context] { return run_plugin_list(context); };
    return std::string();
  });
  add_plugin_check(command, context);
  add_plugin_run(command, context);
  add_plugin_new(command, context);
  add_plugin_pin(command, context);
  add_plugin_canary(command, context);
  add_plugin_sign(command, context);
}

}  // namespace cape::cli
