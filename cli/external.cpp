#include "cli/external.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/console.hpp"

namespace cape::cli {
namespace {

bool is_command_name(std::string_view text) {
  if (text.empty() || text.size() > 63 || text[0] < 'a' || text[0] > 'z') return false;
  return std::ranges::all_of(
      text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

fs::path beside_this_binary(const std::string& program) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path() / program;
}

}  // namespace

std::optional<ExternalCommand> external_command(std::span<char* const> arguments,
                                                const std::function<bool(const std::string&)>& is_own) {
  ExternalCommand command;
  std::size_t at = 0;
  for (; at < arguments.size() && arguments[at][0] == '-'; ++at) {
    const std::string_view option = arguments[at];
    if (option == "--json")
      command.arguments = {"--json"};
    else if (option.starts_with("--config="))
      command.config_file = option.substr(std::strlen("--config="));
    else if (option == "--config" && at + 1 < arguments.size())
      command.config_file = arguments[++at];
    else
      return std::nullopt;
  }
  if (at == arguments.size()) return std::nullopt;
  command.name = arguments[at];
  if (!is_command_name(command.name) || is_own(command.name)) return std::nullopt;
  command.arguments.insert(command.arguments.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                           arguments.end());
  return command;
}

Ending run_external(const ExternalCommand& command) {
  const std::string program = "cape-" + command.name;
  if (command.config_file)
    ::setenv("CAPE_CONFIG", fs::absolute(*command.config_file).c_str(), 1);  // one thread so far
  std::vector<char*> argv{const_cast<char*>(program.c_str())};               // exec does not write to them
  for (const std::string& argument : command.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  if (const fs::path beside = beside_this_binary(program); !beside.empty())
    ::execv(beside.c_str(), argv.data());
  ::execvp(program.c_str(), argv.data());
  if (errno != ENOENT)
    return complain(Exit::failed, fmt::format("{} cannot be run: {}", program, std::strerror(errno)));
  return complain(Exit::usage,
                  fmt::format("'{}' is not a command, and there is no {} beside cape or in PATH; "
                              "`cape --help` lists the commands",
                              command.name, program));
}

}  // namespace cape::cli
