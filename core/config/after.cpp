// The key `after`: which topologies have to be through with an event first.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "core/config/parts.hpp"
#include "core/config/units.hpp"

namespace cape::config {
namespace {

void refuse_unknown(AfterKey& key, const std::string& name, const Config& config) {
  std::vector<std::string> names;
  for (const TopologyConfig& topology : config.topologies) names.push_back(topology.name);
  const std::string_view meant = nearest(name, names);
  const std::string shown = printable(name, 64);
  key.section.mistake(
      "after", meant.empty()
                   ? fmt::format("no topology \"{}\" in this file; name one that is, or take it away", shown)
                   : fmt::format("no topology \"{}\" in this file; did you mean \"{}\"?", shown, meant));
}

void resolve(std::vector<AfterKey>& keys, TopologyIndex index, const std::string& name, Config& config) {
  AfterKey& key = keys[index];
  TopologyConfig& topology = config.topologies[index];
  const auto found = std::ranges::find(config.topologies, name, &TopologyConfig::name);
  if (found == config.topologies.end()) return refuse_unknown(key, name, config);
  const auto earlier = static_cast<TopologyIndex>(found - config.topologies.begin());
  if (earlier == index)
    return key.section.mistake("after", "a topology cannot come after itself; take its name away");
  if (std::ranges::find(topology.after, earlier) != topology.after.end())
    return key.section.mistake("after", fmt::format("names \"{}\" twice; once is enough", name));
  const bool both_known = key.has_domain && keys[earlier].has_domain;
  if (both_known && found->domain != topology.domain)
    return key.section.mistake(
        "after",
        fmt::format("\"{}\" is of domain \"{}\", and this topology of \"{}\"; only topologies of one "
                    "domain can wait for each other",
                    name, config.domains[found->domain].name, config.domains[topology.domain].name));
  topology.after.push_back(earlier);
}

// Of each topology that is in a circle or waits for one: an earlier one of which that is true too; of the
// others none. What waits for nothing that is left is taken away until nothing changes.
std::vector<std::optional<TopologyIndex>> find_circles(const Config& config) {
  const std::size_t count = config.topologies.size();
  std::vector<std::size_t> left(count);
  std::vector<std::vector<TopologyIndex>> later(count);
  std::vector<TopologyIndex> free;
  for (TopologyIndex index = 0; index < count; ++index) {
    left[index] = config.topologies[index].after.size();
    for (const TopologyIndex earlier : config.topologies[index].after) later[earlier].push_back(index);
    if (left[index] == 0) free.push_back(index);
  }
  while (!free.empty()) {
    const TopologyIndex done = free.back();
    free.pop_back();
    for (const TopologyIndex index : later[done])
      if (--left[index] == 0) free.push_back(index);
  }
  std::vector<std::optional<TopologyIndex>> next(count);
  for (TopologyIndex index = 0; index < count; ++index)
    for (const TopologyIndex earlier : config.topologies[index].after)
      if (!next[index] && left[index] > 0 && left[earlier] > 0) next[index] = earlier;
  return next;
}

void refuse_circle(std::vector<AfterKey>& keys, const Config& config, TopologyIndex first,
                   const std::vector<std::optional<TopologyIndex>>& next) {
  std::string names = config.topologies[first].name;
  TopologyIndex member = first;
  do {
    member = *next[member];
    names += " after " + config.topologies[member].name;
  } while (member != first);
  keys[first].section.mistake(
      "after",
      fmt::format("goes round in a circle, so that none of them could ever run: {}; take one of these "
                  "names away",
                  names));
}

// Each is told once, at the first of its topologies that is met. Of circles with a topology in common one may
// be told only when the other is mended.
void refuse_circles(std::vector<AfterKey>& keys, const Config& config) {
  const auto next = find_circles(config);
  std::vector<std::size_t> walk_of(config.topologies.size());  // 0: not walked over yet
  for (TopologyIndex start = 0; start < next.size(); ++start) {
    if (walk_of[start] != 0) continue;
    TopologyIndex at = start;
    while (next[at] && walk_of[at] == 0) {
      walk_of[at] = start + std::size_t{1};
      at = *next[at];
    }
    if (walk_of[at] == start + std::size_t{1}) refuse_circle(keys, config, at, next);
  }
}

}  // namespace

void resolve_after(std::vector<AfterKey>& keys, Config& config) {
  for (TopologyIndex index = 0; index < keys.size(); ++index)
    for (const std::string& name : keys[index].names) resolve(keys, index, name, config);
  refuse_circles(keys, config);
}

}  // namespace cape::config
