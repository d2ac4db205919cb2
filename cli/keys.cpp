// `cape keys new`: key pairs for sockets that other machines reach. `cape keys signing`: one that signs
// plugins.
#include <fmt/format.h>
#include <memory>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "core/types.hpp"
#include "host/child/signature.hpp"
#include "wire/zmq/keys.hpp"

namespace cape::cli {
namespace {

Ending run_new(const Context& context, const std::string& dir) {
  std::error_code no_working_directory;
  const fs::path place = fs::absolute(dir, no_working_directory).lexically_normal();
  if (const auto made = wire::make_keys(place); !made) return complain(Exit::failed, made.error());
  if (context.json) {
    say(json_object({{"dir", json_string(place.string())}}));
    return Exit::done;
  }
  say(fmt::format("made the keys of the broker and of the roles ping, host, watch and admin in {}",
                  shown(place.string())));
  say(
      fmt::format("next: set keys = {{ dir = \"{}\" }} in cape.toml, and copy broker.public and ROLE.secret "
                  "to each machine "
                  "with a client of that role",
                  shown(dir)));
  return Exit::done;
}

struct SigningArguments {
  std::string name, dir = "keys";
};

Ending run_signing(const Context& context, const SigningArguments& arguments) {
  if (!is_name(arguments.name))
    return complain(Exit::usage, fmt::format("'{}' is not a name: a-z, then a-z, 0-9 and _, at most 63 bytes",
                                             shown(arguments.name)));
  if (const auto made = child::make_signing_keys(arguments.dir, arguments.name); !made)
    return complain(Exit::failed, made.error());
  const fs::path dir = arguments.dir;
  const auto key = child::read_public_key(dir / (arguments.name + ".public"));
  if (!key) return complain(Exit::failed, key.error());
  const std::string secret = (dir / (arguments.name + ".secret")).string();
  if (context.json) {
    say(json_object({{"secret", json_string(secret)}, {"public", json_string(*key)}}));
    return Exit::done;
  }
  say(fmt::format("made {}; keep it from others, and sign with `cape plugin sign FILE --key {}`",
                  shown(secret), shown(secret)));
  say(fmt::format("next: in the cape.toml of each host and broker\n  trusted_keys = [\"{}\"]", *key));
  return Exit::done;
}

void add_signing(Command& keys, Context& context) {
  Command make = keys.subcommand("signing", "Make a pair that signs plugin files");
  auto arguments = std::make_shared<SigningArguments>();
  make.argument("NAME", arguments->name, "What the key is called in trusted_keys and `cape plugin list`");
  make.option("--dir", arguments->dir, "DIR",
              "Where the files go; nothing there is overwritten (default: keys)");
  make.footer(
      "\nFiles: NAME.secret, which signs, and NAME.public, the line for trusted_keys.\n"
      "\nExamples:\n  cape keys signing release --dir ~/keys\n  cape plugin sign geo.so --key "
      "~/keys/release.secret");
  make.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_signing(context, *arguments); };
    return std::string();
  });
}

}  // namespace

void add_keys(CLI::App& app, Context& context) {
  Command command(app, "keys", "Make keys: of sockets that other machines reach, and of who signs plugins");
  add_signing(command, context);
  Command make = command.subcommand("new", "Make a pair for the broker and one for each role");
  // Owned by the option's binding and the callback: both live as long as `app`.
  auto dir = std::make_shared<std::string>("keys");
  make.option("--dir", *dir, "DIR", "Where the files go; nothing there is overwritten (default: keys)");
  make.footer(
      "\nFiles: broker.secret, broker.public, and ROLE.secret, ROLE.public for each of ping, host, watch, "
      "admin.\n"
      "A broker needs broker.secret and every ROLE.public; a client its ROLE.secret and broker.public.\n"
      "\nExamples:\n  cape keys new\n  cape keys new --dir /etc/cape/keys");
  make.on_chosen([&context, dir] {
    context.run = [&context, dir] { return run_new(context, *dir); };
    return std::string();
  });
}

}  // namespace cape::cli
