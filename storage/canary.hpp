// storage/canary.hpp
// Which version of its plugin a lambda runs, and which one is tried on some of the subjects: what the store
// keeps, so that neither a restart of the broker nor of a host changes the version of a subject. Plain
// values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cape::storage {

inline constexpr std::size_t rejected_versions_max = 16;  // of one lambda; the oldest are forgotten

struct PluginVersion {
  std::string hash;     // SHA-256 of the file; empty: none
  std::string version;  // as its manifest says, for people

  bool empty() const { return hash.empty(); }
  bool operator==(const PluginVersion&) const = default;
};

struct Canary {
  std::string topology, lambda;
  PluginVersion stable;            // what serves; none: nothing has yet
  PluginVersion candidate;         // what is tried; none: nothing is
  bool stable_in_twin = false;     // in which of the lambda's two slots the stable one runs
  std::uint32_t share = 0;         // of 10,000 subjects; 0 without a candidate
  std::int64_t began_wall_ns = 0;  // of the candidate
  // Versions that do not become candidates as long as some host has them: rolled back, or stable before.
  std::vector<std::string> rejected = {};  // hashes, oldest first
  std::string verdict = {};  // the last promotion or rollback, for people; empty: there was none
  std::int64_t verdict_wall_ns = 0;

  bool operator==(const Canary&) const = default;
};

}  // namespace cape::storage
