// The `cape` binary: parse, choose, run. Everything a person can do has its own file beside this one.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <span>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/external.hpp"

namespace cape::cli {
namespace {

constexpr const char* cape_examples =
    "\nExamples:\n"
    "  cape config check                         is cape.toml right?\n"
    "  cape append history order/17 --type paid --payload '{\"amount\":5}'\n"
    "  cape subject history order/17             how far is each topology?\n"
    "  cape help append                          one command's arguments and examples\n"
    "\n`cape NAME` runs `cape-NAME` when no command has that name.\n"
    "Exit codes: 0 done; 1 failed; 2 usage or config; 3 parked, paused or behind; 4 no broker reached;\n"
    "5 timed out.";

void add_commands(CLI::App& app, Context& context) {
  app.require_subcommand(1);
  app.fallthrough();  // --config and --json may stand behind the command, too
  app.set_version_flag("--version", CAPE_VERSION);
  app.add_option("--config", context.config_file, "The config file; else $CAPE_CONFIG, else ./cape.toml")
      ->type_name("FILE");
  app.add_flag("--json", context.json, "Print one JSON value instead of text");
  app.footer(cape_examples);
#ifdef CAPE_WITH_UP
  add_up(app, context);
  add_broker(app, context);
  add_host(app, context);
#endif
  add_append(app, context);
  add_ping(app, context);
  add_subject(app, context);
  add_why(app, context);
  add_topology(app, context);
  add_plugin(app, context);
  add_acts(app, context);
  add_replay(app, context);
  add_audit(app, context);
  add_status(app, context);
  add_monitor(app, context);
  add_coverage(app, context);
  add_config(app, context);
  add_doctor(app, context);
  add_keys(app, context);
  add_help(app, context);
  add_version(app, context);
}

bool has_command(const CLI::App& app, const std::string& name) {
  return !app.get_subcommands([&](const CLI::App* command) { return command->check_name(name); }).empty();
}

// " append" when the line got as far as that command.
std::string chosen(const CLI::App& app) {
  std::string names;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    names += " " + at->get_name();
  }
  return names;
}

int run(int argc, char** argv) {
  Context context;
  CLI::App app(
      "Cape runs your code when your data changes: every change, in order per subject, until it succeeds.",
      "cape");
  add_commands(app, context);
  const auto arguments =
      std::span<char* const>(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0);
  if (const auto external =
          external_command(arguments, [&](const std::string& name) { return has_command(app, name); }))
    return finish(run_external(*external), json_wanted(arguments));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return finish(
        complain(Exit::usage, fmt::format("{}; see `cape{} --help`", shown(error.what()), chosen(app))),
        json_wanted(arguments));
  }
  return finish(context.run(), context.json);
}

}  // namespace
}  // namespace cape::cli

int main(int argc, char** argv) {
  return cape::cli::run(argc, argv);
}
