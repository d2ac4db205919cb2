// `cape plugin sign`: FILE.sig beside a plugin, for hosts with require_signature.
#include <fmt/format.h>
#include <memory>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "host/child/signature.hpp"

namespace cape::cli {
namespace {

struct SignArguments {
  std::string file, key;
};

Ending run_plugin_sign(const Context& context, const SignArguments& arguments) {
  if (const auto done = child::sign_plugin(arguments.file, arguments.key); !done)
    return complain(Exit::failed, done.error());
  const std::string made = arguments.file + std::string(child::signature_suffix);
  if (context.json)
    say(json_object({{"signature", json_string(made)}}));
  else
    say(fmt::format("made {}; drop it beside the plugin, before it or at the same time", shown(made)));
  return Exit::done;
}

}  // namespace

void add_plugin_sign(Command& plugin, Context& context) {
  Command command = plugin.subcommand("sign", "Sign a plugin file, for hosts that want signatures");
  auto arguments = std::make_shared<SignArguments>();
  command.argument("FILE", arguments->file, "The plugin's .so");
  command.option("--key", arguments->key, "FILE", "NAME.secret of `cape keys signing NAME`");
  command.footer(
      "\nWrites FILE.sig beside it. A host takes the file in if that key stands in trusted_keys of its "
      "cape.toml;\n"
      "with require_signature = true it takes in nothing else from the directories of `plugins`.\n"
      "\nExamples:\n  cape keys signing release --dir ~/keys\n  cape plugin sign geo.so --key "
      "~/keys/release.secret");
  command.on_chosen([&context, arguments] {
    if (arguments->key.empty())
      return std::string("--key is missing: name a NAME.secret; `cape keys signing NAME` makes one");
    context.run = [&context, arguments] { return run_plugin_sign(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
