// The key `needs`: which lambdas of the same topology have to be through with an event first, and give what
// they made of it.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/config/parts.hpp"
#include "core/config/units.hpp"

namespace cape::config {
namespace {

constexpr std::size_t needs_max = 32;
// One event's payload and inputs have to fit one message to a host.
constexpr std::uint64_t inputs_bytes_ceiling = 32u << 20;

using Places = std::vector<std::size_t>;  // in TopologyConfig::lambdas

std::size_t place_of(const TopologyConfig& topology, const std::string& name) {
  return static_cast<std::size_t>(std::ranges::find(topology.lambdas, name, &LambdaConfig::name) -
                                  topology.lambdas.begin());
}

void refuse_unknown(NeedsKey& key, const std::string& name, const TopologyConfig& topology) {
  std::vector<std::string> names;
  for (const LambdaConfig& lambda : topology.lambdas) names.push_back(lambda.name);
  const std::string_view meant = nearest(name, names);
  const std::string shown = printable(name, 64);
  key.section.mistake(
      "needs",
      meant.empty()
          ? fmt::format("no lambda \"{}\" in this topology; name one that is, or take it away", shown)
          : fmt::format("no lambda \"{}\" in this topology; did you mean \"{}\"?", shown, meant));
}

void resolve(NeedsKey& key, std::size_t place, const std::string& name, TopologyConfig& topology) {
  LambdaConfig& lambda = topology.lambdas[place];
  const std::size_t needed = place_of(topology, name);
  if (needed == topology.lambdas.size()) return refuse_unknown(key, name, topology);
  if (needed == place) return key.section.mistake("needs", "a lambda cannot need itself; take its name away");
  if (std::ranges::find(lambda.needs, name) != lambda.needs.end())
    return key.section.mistake("needs", fmt::format("names \"{}\" twice; once is enough", name));
  lambda.needs.push_back(name);
}

void check_size(NeedsKey& key, const LambdaConfig& lambda, const TopologyConfig& topology) {
  if (lambda.needs.size() > needs_max)
    key.section.mistake("needs",
                        fmt::format("names {} lambdas; {} are allowed", lambda.needs.size(), needs_max));
  std::uint64_t bytes = 0;
  for (const std::string& name : lambda.needs)
    bytes += topology.lambdas[place_of(topology, name)].limits.output_bytes;
  if (bytes > inputs_bytes_ceiling)
    key.section.mistake("needs",
                        fmt::format("what these may give for one event (limits.output) comes to {}; {} are "
                                    "allowed: lower limits.output of some",
                                    size_text(static_cast<std::int64_t>(bytes)),
                                    size_text(static_cast<std::int64_t>(inputs_bytes_ceiling))));
}

// Lambdas in an order in which each stands behind those it needs, otherwise as in the file; those that are
// left out are in a circle, or need one that is.
Places sorted(const TopologyConfig& topology) {
  Places order;
  const auto is_placed = [&](const std::string& name) {
    return std::ranges::find(order, place_of(topology, name)) != order.end();
  };
  for (bool found = true; found;) {
    found = false;
    for (std::size_t place = 0; place < topology.lambdas.size() && !found; ++place) {
      found = std::ranges::find(order, place) == order.end() &&
              std::ranges::all_of(topology.lambdas[place].needs, is_placed);
      if (found) order.push_back(place);
    }
  }
  return order;
}

// Going on from any lambda that is left over to one that it needs and that is left over too leads into a
// circle.
void refuse_circle(std::vector<NeedsKey>& keys, const TopologyConfig& topology, const Places& order) {
  const auto is_left = [&](std::size_t place) { return std::ranges::find(order, place) == order.end(); };
  const auto next = [&](std::size_t place) {
    for (const std::string& name : topology.lambdas[place].needs)
      if (is_left(place_of(topology, name))) return place_of(topology, name);
    return place;
  };
  std::size_t at = 0;
  while (!is_left(at)) ++at;
  for (std::size_t i = 0; i < topology.lambdas.size(); ++i) at = next(at);
  std::string names = topology.lambdas[at].name;
  std::size_t member = at;
  do {
    member = next(member);
    names += " needs " + topology.lambdas[member].name;
  } while (member != at);
  keys[at].section.mistake(
      "needs",
      fmt::format("goes round in a circle, so that none of them could ever run: {}; take one of these "
                  "names away",
                  names));
}

}  // namespace

void resolve_needs(std::vector<NeedsKey>& keys, TopologyConfig& topology) {
  for (std::size_t place = 0; place < keys.size(); ++place) {
    if (keys[place].names.empty()) continue;
    if (topology.mode == Mode::latest)
      keys[place].section.mistake("needs",
                                  "not in a topology of mode \"latest\", whose lambdas may each run another "
                                  "event; use \"strict\" or \"pipelined\"");
    for (const std::string& name : keys[place].names) resolve(keys[place], place, name, topology);
    check_size(keys[place], topology.lambdas[place], topology);
  }
  const Places order = sorted(topology);
  if (order.size() < topology.lambdas.size()) return refuse_circle(keys, topology, order);
  std::vector<LambdaConfig> lambdas;
  for (std::size_t place : order) lambdas.push_back(std::move(topology.lambdas[place]));
  topology.lambdas = std::move(lambdas);
}

}  // namespace cape::config
