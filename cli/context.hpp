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
  std::function<Ending()> run;          // set by the chosen command
};

// The end of a command whose config is wrong: every mistake, as text and as JSON.
Ending refuse(const std::vector<ConfigMistake>& mistakes, const fs::path& file);

// The config, or the end with every mistake in it.
std::expected<Config, Ending> load(const Context& context);

// The domain, or an end that lists the domains there are. Borrows from `config`.
std::expected<const DomainConfig*, Ending> domain_of(const Config& config, const std::string& name);

// Done, or usage with what a subject may be.
Ending check_subject(const std::string& subject);

}  // namespace cape::cli
