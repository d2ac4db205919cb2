// `cape config check`: every mistake in the file at once, with its line.
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"

namespace cape::cli {
namespace {

std::string as_json(const fs::path& file, const std::vector<ConfigMistake>& mistakes) {
  std::vector<std::string> list;
  for (const ConfigMistake& mistake : mistakes)
    list.push_back(json_object({{"line", std::to_string(mistake.line)},
                                {"key", json_string(mistake.key)},
                                {"message", json_string(mistake.message)}}));
  return json_object({{"file", json_string(file.string())},
                      {"ok", mistakes.empty() ? "true" : "false"},
                      {"mistakes", json_list(list)}});
}

Exit run_check(const Context& context) {
  const fs::path file = find_config(context.config_file);
  const ConfigResult config = load_config(file);
  const std::vector<ConfigMistake> mistakes = config ? std::vector<ConfigMistake>() : config.error();
  if (context.json) say(as_json(file, mistakes));
  if (!mistakes.empty()) return complain(Exit::usage, to_text(mistakes, file));
  if (!context.json)
    say(fmt::format("{}: no mistakes; domains: {}, topologies: {}", shown(file.string()),
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
