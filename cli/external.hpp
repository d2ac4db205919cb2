// cli/external.hpp
// `cape NAME` runs `cape-NAME` when no subcommand has that name: plugins bring their tools so.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/exit.hpp"
#include "core/config/config.hpp"

namespace cape::cli {

struct ExternalCommand {
  std::string name;                     // [a-z][a-z0-9_-]*, so never a path
  std::vector<std::string> arguments;   // what stood after the name; first a --json before it
  std::optional<fs::path> config_file;  // a --config before it; handed on as $CAPE_CONFIG
};

// The command line without argv[0] as an external command; nullopt: it starts with an option other than
// --config or --json, has no name, or `is_own` knows the name.
std::optional<ExternalCommand> external_command(std::span<char* const> arguments,
                                                const std::function<bool(const std::string&)>& is_own);

// Becomes cape-NAME: the one beside this binary, else the one in $PATH. Returns only if there is none.
Ending run_external(const ExternalCommand& command);

}  // namespace cape::cli
