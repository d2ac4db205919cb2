// [domain.NAME]: where events come from.
#include "core/config/parts.hpp"

namespace cape::config {
namespace {

DomainConfig read_domain(const std::string& name, Section section, const Config& config) {
  DomainConfig domain;
  domain.name = name;
  domain.source = section.name("source", "source = \"journal\"");
  PluginKeys keys = read_plugin_keys(section, config);
  domain.config_json = std::move(keys.config_json);
  domain.grant = std::move(keys.grant);
  domain.limits = keys.limits;
  section.integer("queries_per_s", domain.queries_per_s, {.min = 1, .max = 100'000'000});
  section.duration_ms("timeout", domain.timeout_ms, {.min = 100, .max = 3'600'000});
  section.duration_ms("timeout_max", domain.timeout_max_ms, {.min = 100, .max = 24 * 3'600'000});
  check_timeouts(section, domain.timeout_ms, domain.timeout_max_ms);
  section.finish();
  return domain;
}

}  // namespace

void read_domains(Section& file, Config& config) {
  for_each_named(file.table("domain"), [&](const std::string& name, Section section) {
    config.domains.push_back(read_domain(name, std::move(section), config));
  });
}

}  // namespace cape::config
