// `cape plugin check`: may this file be dropped? The checks themselves are host/check's.
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/grant_option.hpp"
#include "cli/json_text.hpp"
#include "core/types.hpp"
#include "host/check/checker.hpp"

namespace cape::cli {
namespace {

struct CheckArguments {
  std::string file, only, skip, settings, grant;
  std::int64_t seed = 1;
  bool list = false, in_process = false;
};

Ending list_checks(const Context& context) {
  std::vector<std::string> items;
  std::vector<std::vector<std::string>> rows;
  for (const check::Check& one : check::all_checks()) {
    items.push_back(json_object({{"id", json_string(one.id)}, {"promise", json_string(one.promise)}}));
    rows.push_back({one.id, one.promise});
  }
  if (context.json)
    say(json_object({{"checks", json_list(items)}}));
  else
    say_block(table(rows));
  return Exit::done;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const check::CheckReport& report) {
  std::vector<std::string> checks;
  for (const check::Checked& one : report.checks)
    checks.push_back(json_object({{"id", json_string(one.id)},
                                  {"verdict", json_string(check::name_of(one.finding.verdict))},
                                  {"text", json_string(one.finding.text)}}));
  return {{"plugin", json_string(report.plugin)},
          {"version", json_string(report.version)},
          {"hash", json_string(report.hash)},
          {"seed", std::to_string(report.seed)},
          {"good", report.good() ? "true" : "false"},
          {"unchecked", std::to_string(report.starved())},
          {"checks", json_list(checks)}};
}

std::string object_of(const Fields& fields) {
  std::string text;
  for (const auto& [key, value] : fields) text += (text.empty() ? "{" : ",") + json_string(key) + ":" + value;
  return text + "}";
}

bool ran_none(const check::CheckReport& report) {
  return std::ranges::all_of(report.checks, [](const check::Checked& one) {
    return one.finding.verdict == check::Verdict::skipped;
  });
}

// A promise that nothing was run for is not called kept.
std::string verdict_of(const check::CheckReport& report, const check::CheckOptions& options) {
  if (!report.good()) return "bad: a host would set it aside, or regret it";
  if (options.in_process)
    return "nothing bad was found in this process; check it without --in-process before you drop it";
  if (!options.only.empty() || !options.skip.empty())
    return "nothing bad was found; check it without --only and --skip before you drop it";
  if (report.starved() == 0) return "good: it may be dropped";
  return fmt::format("nothing bad was found, but {} checks had nothing to run with: give --settings, --grant",
                     report.starved());
}

Ending run_plugin_check(const Context& context, const CheckArguments& arguments) {
  if (arguments.list) return list_checks(context);
  check::CheckOptions options;
  options.only = split_at_commas(arguments.only);
  options.skip = split_at_commas(arguments.skip);
  options.seed = static_cast<std::uint64_t>(arguments.seed);
  for (const auto& wanted : {options.only, options.skip})
    if (const std::string unknown = check::unknown_check(wanted); !unknown.empty())
      return complain(
          Exit::usage,
          fmt::format("there is no check '{}'; `cape plugin check --list` names them", shown(unknown)));
  auto settings = parse_settings(arguments.settings);
  if (!settings) return complain(Exit::usage, settings.error().message);
  options.settings_json = std::move(*settings);
  auto grant = parse_grant(arguments.grant);
  if (!grant) return complain(Exit::usage, grant.error().message);
  options.grant = std::move(*grant);
  options.in_process = arguments.in_process;
  if (options.in_process)
    note(
        "--in-process: the plugin runs unconfined in this process, with your rights, files and network, and "
        "takes it along when it crashes; for a file that you trust, under a debugger or a sanitizer");
  if (!context.json)
    options.tell = [](const check::Check& one, const check::Finding& finding) {
      say(fmt::format("{:<4} {:<12} {}", one.id, check::name_of(finding.verdict), one.promise));
      if (!finding.text.empty())
        say(fmt::format("     {:<12} {}", "", printable(finding.text, reason_bytes_max)));
    };
  const auto report = check::check_plugin(arguments.file, options);
  if (!report)
    return complain(Exit::failed, fmt::format("{}: {}", shown(arguments.file), report.error().message));
  if (ran_none(*report))
    return complain(Exit::usage, fmt::format("{}: none of the checks that were chosen is for it, so nothing was "
                                             "checked; `cape plugin check --list` names them",
                                             shown(arguments.file)));
  Fields fields = fields_of(*report);
  fields.emplace_back("in_process", options.in_process ? "true" : "false");
  if (!report->good()) {
    Ending bad = complain(
        Exit::failed, fmt::format("{}: {}", shown(arguments.file), verdict_of(*report, options)));
    bad.fields = std::move(fields);
    return bad;
  }
  say(context.json ? object_of(fields) : verdict_of(*report, options));
  return Exit::done;
}

}  // namespace

void add_plugin_check(Command& plugin, Context& context) {
  Command command =
      plugin.subcommand("check", "Say whether a plugin file may be dropped, and what is wrong with it");
  auto arguments = std::make_shared<CheckArguments>();
  command.argument("FILE", arguments->file, "The plugin's .so", false);
  command.option("--only", arguments->only, "IDS", "These checks, or groups by their letter, alone: S,C5");
  command.option("--skip", arguments->skip, "IDS", "All checks but these");
  command.flag("--list", arguments->list, "Print the checks, and run none");
  command.option("--seed", arguments->seed, "N",
                 "Of random events; the same seed makes the same (default 1)");
  command.option("--settings", arguments->settings, "JSON", "The plugin's config as a JSON object");
  command.option("--grant", arguments->grant, "GRANTS",
                 "read=DIR,write=DIR,code=DIR,network=PORT; a state directory comes of itself");
  command.flag("--in-process", arguments->in_process,
               "Run it in this process, without child, sandbox and timeouts: for a debugger or a sanitizer");
  command.footer(
      "\nExits 0 when nothing is bad (warnings are not), 1 otherwise.\n"
      "\nExamples:\n  cape plugin check build/geo.so\n  cape plugin check geo.so --only S,L --json\n"
      "  gdb --args cape plugin check geo.so --in-process --only C3");
  command.on_chosen([&context, arguments] {
    if (arguments->file.empty() && !arguments->list)
      return std::string("FILE is missing: name a plugin, or --list");
    context.run = [&context, arguments] { return run_plugin_check(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
