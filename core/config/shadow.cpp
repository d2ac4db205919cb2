#include "core/config/shadow.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"

namespace cape {

Config with_shadows(Config config) {
  CAPE_CHECK(live_topologies(config) == config.topologies.size());
  const std::size_t live = config.topologies.size();
  for (TopologyIndex i = 0; i < live; ++i) {
    TopologyConfig shadow = config.topologies[i];
    shadow.name = shadow_name(shadow.name);
    shadow.shadow_of = i;
    shadow.start = {};
    shadow.after.clear();
    for (LambdaConfig& lambda : shadow.lambdas) {
      lambda.grant.write.clear();
      lambda.canary.reset();  // it runs the version that the live one has tried
    }
    config.domains.push_back(
        {.name = shadow.name, .source = config.domains[shadow.domain].source, .shadow_of = shadow.domain});
    shadow.domain = static_cast<DomainIndex>(config.domains.size() - 1);
    config.topologies.push_back(std::move(shadow));
  }
  return config;
}

std::size_t live_domains(const Config& config) {
  return static_cast<std::size_t>(std::ranges::count_if(
      config.domains, [](const DomainConfig& domain) { return !domain.shadow_of.has_value(); }));
}

std::size_t live_topologies(const Config& config) {
  return static_cast<std::size_t>(std::ranges::count_if(
      config.topologies, [](const TopologyConfig& topology) { return !topology.shadow_of.has_value(); }));
}

DomainIndex source_domain(const Config& config, DomainIndex domain) {
  return config.domains[domain].shadow_of.value_or(domain);
}

std::string shadow_mistake(const TopologyConfig& live) {
  for (const LambdaConfig& lambda : live.lambdas)
    if (!lambda.grant.write.empty())
      return fmt::format(
          "lambda '{}' may write to {}, which a replay must leave alone: rewind the topology instead, or "
          "give "
          "it a state directory to write to",
          lambda.name, lambda.grant.write.front().string());
  return {};
}

}  // namespace cape
