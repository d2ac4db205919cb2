#include "cli/context.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/console.hpp"
#include "cli/json_text.hpp"

namespace cape::cli {

Ending refuse(const std::vector<ConfigMistake>& mistakes, const fs::path& file) {
  std::string text = to_text(mistakes, file);
  if (text.ends_with('\n')) text.pop_back();  // finish() adds it
  Ending ending = complain(Exit::usage, text);
  std::vector<std::string> list;
  for (const ConfigMistake& mistake : mistakes)
    list.push_back(json_object({{"line", std::to_string(mistake.line)},
                                {"key", json_string(mistake.key)},
                                {"message", json_string(mistake.message)}}));
  ending.fields = {{"file", json_string(file.string())}, {"mistakes", json_list(list)}};
  return ending;
}

std::expected<Config, Ending> load(const Context& context) {
  const fs::path file = find_config(context.config_file);
  ConfigResult config = load_config(file);
  if (config) return std::move(*config);
  return std::unexpected(refuse(config.error(), file));
}

std::expected<const DomainConfig*, Ending> domain_of(const Config& config, const std::string& name) {
  if (const DomainConfig* domain = config.domain(name)) return domain;
  std::vector<std::string> names;
  for (const DomainConfig& domain : config.domains) names.push_back(domain.name);
  const std::string file = shown(config.file.string());
  const std::string known = names.empty() ? "it has none" : fmt::format("it has: {}", fmt::join(names, ", "));
  return std::unexpected(complain(
      Exit::usage, fmt::format("domain '{}' is not in {} ({}); add [domain.NAME] there or name one it has",
                               shown(name), file, known)));
}

Ending check_subject(const std::string& subject) {
  const std::string_view mistake = subject_mistake(subject);
  if (mistake.empty()) return Exit::done;
  return complain(Exit::usage, mistake);
}

}  // namespace cape::cli
