// `cape config check`: every mistake in the file at once, with its line.
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"

namespace cape::cli {
namespace {

Ending run_check(const Context& context) {
  const fs::path file = find_config(context.config_file);
  const ConfigResult config = load_config(file);
  const std::vector<ConfigMistake> mistakes = config ? grant_mistakes(*config) : config.error();
  if (!mistakes.empty()) {
    Ending ending = refuse(mistakes, file);
    ending.fields.emplace_back("ok", "false");
    return ending;
  }
  say(context.json ? json_object({{"file", json_string(file.string())}, {"mistakes", "[]"}, {"ok", "true"}})
                   : fmt::format("{}: no mistakes; domains: {}, topologies: {}", shown(file.string()),
                                 config->domains.size(), config->topologies.size()));
  return Exit::done;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
  Command command(app, "config", "Check the config file");
  Command check = command.subcommand("check", "Report every mistake in the config file with its line");
  check.footer("\nExamples:\n  cape config check\n  cape --config /etc/cape.toml config check --json");
  check.on_chosen([&context] {
    context.run = [&context] { return run_check(context); };
    return std::string();
  });
}

}  // namespace cape::cli
