// `cape doctor`: does this machine hold a plugin? Every wall is tried, none is believed.
#include <fmt/format.h>

#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "core/types.hpp"
#include "host/check/escapes.hpp"

namespace cape::cli {
namespace {

using check::Attempted;
using check::Held;

struct Diagnosis {
  std::optional<child::SandboxReport> sandbox;
  std::vector<std::string> rows;  // JSON
  std::size_t open = 0;           // attempts that were not seen to fail
};

void add(const check::Escape& escape, Attempted attempted, Diagnosis& found, bool json) {
  if (attempted.held != Held::yes) ++found.open;
  if (attempted.sandbox) found.sandbox = std::move(attempted.sandbox);
  const std::string how = printable(attempted.how, reason_bytes_max);
  found.rows.push_back(json_object({{"id", json_string(escape.id)},
                                    {"attempt", json_string(escape.attempt)},
                                    {"result", json_string(check::name_of(attempted.held))},
                                    {"how", json_string(how)}}));
  if (!json) say(fmt::format("{:<9} {:<45} {}", check::name_of(attempted.held), escape.attempt, how));
}

std::vector<std::pair<std::string, std::string>> fields_of(const Diagnosis& found, char required) {
  const auto text = [](const std::string& words) { return json_string(words); };
  return {{"level", found.sandbox ? text(std::string(1, found.sandbox->level)) : "null"},
          {"required", text(std::string(1, required))},
          {"layers", text(found.sandbox ? found.sandbox->layers : "")},
          {"missing", text(found.sandbox ? found.sandbox->missing : "")},
          {"attempts", json_list(found.rows)}};
}

// Empty: plugins may run here.
std::string trouble_of(const Diagnosis& found, char required) {
  if (!found.sandbox) return "no child could be started: see the attempts";
  if (found.sandbox->level > required)
    return fmt::format(
        "the sandbox reaches level {} here and {} is required, so no plugin would run; missing: {}",
        found.sandbox->level, required, found.sandbox->missing);
  if (found.open > 0)
    return fmt::format("{} of {} attempts were not seen to fail; missing: {}", found.open, found.rows.size(),
                       found.sandbox->missing);
  return {};
}

// That of the config file where there is one.
std::expected<char, Ending> required_level(const Context& context) {
  std::error_code error;
  if (!context.config_file && !fs::exists(find_config({}), error)) return Config().sandbox_require;
  auto config = load(context);
  if (!config) return std::unexpected(std::move(config.error()));
  return config->sandbox_require;
}

Ending run_doctor(const Context& context) {
  const auto required = required_level(context);
  if (!required) return required.error();
  const auto probe = check::take_probe();
  if (!probe) return complain(Exit::failed, probe.error());
  Diagnosis found;
  for (const check::Escape& escape : check::escapes())
    add(escape, check::try_escape(*probe, escape), found, context.json);

  auto fields = fields_of(found, *required);
  if (const std::string trouble = trouble_of(found, *required); !trouble.empty()) {
    Ending bad = complain(Exit::failed, trouble);
    bad.fields = std::move(fields);
    return bad;
  }
  if (context.json)
    say(json_object(fields));
  else
    say(fmt::format("sandbox level {}: {}\nmissing: {}", found.sandbox->level, found.sandbox->layers,
                    found.sandbox->missing.empty() ? "nothing" : found.sandbox->missing));
  return Exit::done;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  Command command(app, "doctor", "Try to break out of the sandbox on this machine");
  command.footer(
      "\nEach attempt is made in a child of its own, with the sandbox of production, and has to fail. Exits "
      "1 when one "
      "does not, or when the level is below sandbox.require of the config (B without one).\n"
      "\nExamples:\n  cape doctor\n  cape doctor --json");
  command.on_chosen([&context] {
    context.run = [&context] { return run_doctor(context); };
    return std::string();
  });
}

}  // namespace cape::cli
