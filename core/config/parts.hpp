// core/config/parts.hpp
// The tables of a config, one reader each. Inside core/config only: others call parse_config.
#pragma once

#include "core/config/config.hpp"
#include "core/config/section.hpp"

namespace cape::config {

// Default lease and limits stand in config.hpp; what a value may be stands beside its reader.
void read_domains(Section& file, Config& config);
void read_topologies(Section& file, Config& config);  // requires: the domains are read

// The key `after` of one topology, as it stands in the file.
struct AfterKey {
  Section section;  // of the topology, for mistakes
  std::vector<std::string> names;
  bool has_domain = false;  // its key `domain` is right
};
// Fills TopologyConfig::after, `keys` being those of config.topologies in order. Refuses names that are not
// there, of another domain, given twice, and circles.
void resolve_after(std::vector<AfterKey>& keys, Config& config);

// The key `needs` of one lambda, as it stands in the file.
struct NeedsKey {
  Section section;  // of the lambda, for mistakes
  std::vector<std::string> names;
};
// Fills LambdaConfig::needs, `keys` being those of topology.lambdas in order, and puts each lambda behind those
// it needs. Refuses names that are not there, given twice, circles, mode latest, and more than one message
// can carry.
void resolve_needs(std::vector<NeedsKey>& keys, TopologyConfig& topology);

// A table of labels: `{ zone = "eu" }`.
HostLabels read_labels(Section& section, std::string_view key);

// The table `canary` of a topology or a lambda, if it is there.
std::optional<CanaryPolicy> read_canary(Section& section);
// Two versions would write the same files. Notes it at the key `canary` of `section`, which gave it.
void refuse_canary_with_state(Section& section, const LambdaConfig& lambda);

// The keys a domain and a lambda share.
struct PluginKeys {
  std::string config_json = "{}";
  Grant grant;
  Limits limits;
};
PluginKeys read_plugin_keys(Section& section, const Config& config);
// Of a call: without heartbeat, and in all. Notes it at the key that was given if they do not go together.
void check_timeouts(Section& section, std::int64_t timeout_ms, std::int64_t timeout_max_ms);

// Calls `read` with a Section for each sub-table of `section` that has a usable name.
void for_each_named(Section section, const std::function<void(const std::string&, Section)>& read);

// Endpoints as configured, else ipc:// below data_dir/run.
void read_listen(Section& file, Config& config);  // requires: data_dir is read

}  // namespace cape::config
