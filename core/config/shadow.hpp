// core/config/shadow.hpp
// The shadow of a topology is where its events run again for `cape replay`, beside all that is live. It is
// called NAME@replay, a name that no config can have, and lies alone in a domain of that name, which reads
// the source of the live one. So its records, cursors, jobs, children and state directories are its own, and
// it has all other parts of its topology: mode, lambdas, retry policy, limits. Left out is what joins
// topologies (`after`, `start`), what its lambdas may write beside their state, and `canary`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/config/config.hpp"

namespace cape {

inline constexpr std::string_view shadow_suffix = "@replay";

// Of the shadow of a live topology.
inline std::string shadow_name(std::string_view topology) {
  return std::string(topology) += shadow_suffix;
}
// The name of a shadow, or of its domain.
inline bool is_shadow(std::string_view name) {
  return name.ends_with(shadow_suffix);
}

// The config with a shadow for each topology. Shadows lie behind all that is live, in the order of their
// topologies, so what is live keeps its index. Requires: there are none yet.
Config with_shadows(Config config);

std::size_t live_domains(const Config& config);  // how many: their indices are below
std::size_t live_topologies(const Config& config);
// The domain whose source has the events of `domain`.
DomainIndex source_domain(const Config& config, DomainIndex domain);

// The lambda of a topology that could change what is live even in a shadow, and how; empty: none could.
std::string shadow_mistake(const TopologyConfig& live);

}  // namespace cape
