// `cape help` and `cape version`: what --help and --version print, for those who look for a command.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"

namespace cape::cli {
namespace {

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](const CLI::App* command) { return command->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

// App::help() would follow the line to `help` itself.
Ending run_help(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  std::string path = app.get_name();
  for (const std::string& word : words) {
    at = find_command(*at, word);
    if (!at)
      return complain(Exit::usage, fmt::format("{} has no command '{}'; `cape help` lists the commands", path,
                                               shown(word)));
    path += " " + word;
  }
  say_block(at->get_formatter()->make_help(at, path, CLI::AppFormatMode::Normal));
  return Exit::done;
}

}  // namespace

void add_help(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("help", "Show all commands, or one command's help");
  // Owned by the option's binding and the callback: both live as long as `app`.
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("COMMAND", *words, "As in: cape help plugin list");
  command->footer("\nExamples:\n  cape help\n  cape help append");
  command->callback(
      [&app, &context, words] { context.run = [&app, words] { return run_help(app, *words); }; });
}

void add_version(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("version", "Show the version of this binary");
  command->callback([&context] {
    context.run = [&context]() -> Ending {
      say(context.json ? json_object({{"version", json_string(CAPE_VERSION)}}) : CAPE_VERSION);
      return Exit::done;
    };
  });
}

}  // namespace cape::cli
