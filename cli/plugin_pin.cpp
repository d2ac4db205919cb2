// `cape plugin pin`, `cape plugin unpin`: which version of a plugin serves, whatever is dropped.
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

struct PinArguments {
  std::string plugin, to, reason;
  bool dry_run = false;
};

std::string pin_body(const PinArguments& arguments, bool pins) {
  std::string body =
      fmt::format("{{\"plugin\":{},\"reason\":{},\"dry_run\":{}", json_string(arguments.plugin),
                  json_string(arguments.reason), arguments.dry_run);
  if (pins) body += ",\"to\":" + json_string(arguments.to);
  return body + "}";
}

Ending run_pin(const Context& context, const PinArguments& arguments, bool pins) {
  const auto config = load(context);
  if (!config) return config.error();
  const Answer answer = ask_broker(*config, "pin", pin_body(arguments, pins));
  if (!answer) return answer.error();
  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  const char* would = arguments.dry_run ? "would be " : "";
  if (!pins) {
    say(fmt::format("{} {}unpinned: what the plugin directories have serves", arguments.plugin, would));
    return Exit::done;
  }
  const std::string version = field_text(*answer, "version"), hash = field_text(*answer, "hash");
  say(fmt::format("{} {}pinned to {}", arguments.plugin, would,
                  hash == "-" ? "version " + version : "hash " + hash));
  return Exit::done;
}

void declare(Command& command, PinArguments& arguments) {
  command.option("--reason", arguments.reason, "TEXT", "Why, for the audit; at most 256 bytes");
  command.flag("--dry-run", arguments.dry_run, "Change nothing, tell what would be done");
}

}  // namespace

void add_plugin_pin(Command& plugin, Context& context) {
  Command pin = plugin.subcommand("pin", "Let one version of a plugin serve, whatever is dropped");
  auto arguments = std::make_shared<PinArguments>();  // lives as long as the callbacks
  pin.argument("PLUGIN", arguments->plugin, "The plugin's id");
  pin.argument("VERSION", arguments->to, "A version, or the first 8 digits or more of a hash");
  declare(pin, *arguments);
  pin.footer(
      "\nHolds on every host and over restarts until `cape plugin unpin`. `cape plugin list` shows what "
      "there is\n"
      "to pin: what serves, what stands by, and the last versions that were replaced.\n"
      "\nExamples:\n  cape plugin pin audit_log 1.0.0 --reason 'incident 17'\n  cape plugin pin audit_log "
      "9f2c41d0");
  pin.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_pin(context, *arguments, true); };
    return std::string();
  });
  Command unpin =
      plugin.subcommand("unpin", "Take a pin back: the file that became stable last serves again");
  auto unpinned = std::make_shared<PinArguments>();
  unpin.argument("PLUGIN", unpinned->plugin, "The plugin's id");
  declare(unpin, *unpinned);
  unpin.footer("\nExamples:\n  cape plugin unpin audit_log");
  unpin.on_chosen([&context, unpinned] {
    context.run = [&context, unpinned] { return run_pin(context, *unpinned, false); };
    return std::string();
  });
}

}  // namespace cape::cli
