// `cape keys new`: key pairs for sockets that other machines reach.
#include <fmt/format.h>
#include <memory>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
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

}  // namespace

void add_keys(CLI::App& app, Context& context) {
  Command command(app, "keys", "Make the keys of sockets that other machines reach");
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
