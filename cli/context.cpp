#include "cli/context.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/console.hpp"

namespace cape::cli {

std::expected<Config, Exit> load(const Context& context) {
  const fs::path file = find_config(context.config_file);
  ConfigResult config = load_config(file);
  if (config) return std::move(*config);
  note(to_text(config.error(), file));
  return std::unexpected(Exit::usage);
}

std::expected<const DomainConfig*, Exit> domain_of(const Config& config, const std::string& name) {
  if (const DomainConfig* domain = config.domain(name)) return domain;
  std::vector<std::string> names;
  for (const DomainConfig& domain : config.domains) names.push_back(domain.name);
  const std::string file = shown(config.file.string());
  const std::string known = names.empty() ? "it has none" : fmt::format("it has: {}", fmt::join(names, ", "));
  return std::unexpected(complain(
      Exit::usage, fmt::format("domain '{}' is not in {} ({}); add [domain.NAME] there or name one it has",
                               shown(name), file, known)));
}

Exit check_subject(const std::string& subject) {
  const std::string_view mistake = subject_mistake(subject);
  if (mistake.empty()) return Exit::done;
  return complain(Exit::usage, mistake);
}

}  // namespace cape::cli
