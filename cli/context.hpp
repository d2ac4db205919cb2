// cli/context.hpp
// Context is what all commands share: the global options, and the command the line has chosen. Parsing only
// chooses; main runs it afterwards, outside of the parser.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "cli/exit.hpp"
#include "core/config/config.hpp"

namespace cape::cli {

struct Context {
  std::optional<fs::path> config_file;  // --config
  bool json = false;                    // --json: one JSON value on stdout
  std::function<Exit()> run;            // set by the chosen command
};

// The config, or the exit code after every mistake was printed.
std::expected<Config, Exit> load(const Context& context);

// The domain, or the exit code after a complaint that lists the domains there are. Borrows from `config`.
std::expected<const DomainConfig*, Exit> domain_of(const Config& config, const std::string& name);

// done, or usage after a complaint that says what a subject may be.
Exit check_subject(const std::string& subject);

}  // namespace cape::cli
