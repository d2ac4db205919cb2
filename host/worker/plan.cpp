#include "host/worker/plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "host/child/wishes.hpp"

namespace cape::host {
namespace {

constexpr std::int64_t look_least_ns = 5 * ns_per_ms;
constexpr std::int64_t look_most_ns = 250 * ns_per_ms;
constexpr std::int64_t shadow_idle_ns = 10 * ns_per_s;

WorkerLambda worker_lambda(const LambdaPlace& place, const SpeedWatch::Limits& speed) {
  const RetryPolicy& retry = place.topology->retry;
  return {.children_max = place.lambda->children_max,
          .timeout_ns = place.lambda->timeout_ms * ns_per_ms,
          .timeout_max_ns = place.lambda->timeout_max_ms * ns_per_ms,
          .owns_state = place.lambda->grant.state || !place.lambda->grant.write.empty(),
          .probe_first_ns = retry.first_ms * ns_per_ms,
          .probe_factor = retry.factor,
          .probe_max_ns = retry.max_ms * ns_per_ms,
          .speed = speed,
          .idle_max_ns = place.topology->shadow_of ? shadow_idle_ns : 0,
          .recycle_bytes =
              place.lambda->limits.recycle_bytes != 0 ? place.lambda->limits.recycle_bytes : UINT64_MAX};
}

std::string missing_plugin(const std::string& id, const Shelves& shelves) {
  if (const auto pinned = shelves.pin_troubles.find(id);
      shelves.settled && pinned != shelves.pin_troubles.end())
    return pinned->second;
  if (!shelves.settled)
    return fmt::format("plugin '{}' has not been found yet: the files are still looked at", id);
  for (const wire::SetAside& aside : shelves.set_aside) {
    if (fs::path(aside.file).stem() == id)
      return fmt::format("{} is set aside: {}", aside.file, aside.reason);
  }
  const std::size_t others = shelves.set_aside.size();
  return fmt::format("no plugin '{}': copy its .so into a plugin directory{}", id,
                     others == 0 ? "" : fmt::format(" (set aside: {}; see `cape plugin list`)", others));
}

bool has_canary(const Config& config, const TopologyConfig& topology, const std::string& lambda) {
  const TopologyConfig& live = topology.shadow_of ? config.topologies[*topology.shadow_of] : topology;
  const auto at = std::ranges::find(live.lambdas, lambda, &LambdaConfig::name);
  return at != live.lambdas.end() && at->canary.has_value();
}

child::PluginImagePtr find_hash(const std::vector<child::PluginImagePtr>& images, const std::string& hash) {
  const auto at = std::ranges::find_if(images, [&](const auto& image) { return image->hash == hash; });
  return at == images.end() ? nullptr : *at;
}

// Of a lambda whose version the broker chooses; null: `trouble` says why none serves, if that is a trouble.
child::PluginImagePtr image_said(const LambdaPlace& place, const Shelves& shelves,
                                 const wire::ServedVersion* said, std::string& trouble) {
  if (said == nullptr) {
    trouble = "the broker has not said yet which version serves";
    return nullptr;
  }
  if (said->hash.empty()) return nullptr;  // the other slot has what serves
  child::PluginImagePtr image = find_hash(shelves.named, said->hash);
  if (image == nullptr)
    trouble = fmt::format(
        "this host lacks the version of plugin '{}' that serves ({}): copy that .so into a plugin directory, "
        "or "
        "`cape plugin promote {}` another one",
        place.lambda->plugin, said->hash.substr(0, 8), place.lambda->plugin);
  return image;
}

// What the broker has said serves on from what is kept, though no file is left; a pin's word is another one.
bool serves_without_file(const std::string& plugin, const Shelves& shelves) {
  return shelves.settled && !shelves.pin_troubles.contains(plugin) && !is_withdrawn(shelves, plugin);
}

}  // namespace

std::vector<LambdaPlace> lambdas_of(const Config& config) {
  std::vector<LambdaPlace> places;
  for (const TopologyConfig& topology : config.topologies) {
    for (const LambdaConfig& lambda : topology.lambdas)
      places.push_back(
          {.topology = &topology, .lambda = &lambda, .by_broker = has_canary(config, topology, lambda.name)});
  }
  for (std::size_t i = 0, count = places.size(); i < count; ++i) {
    LambdaPlace twin = places[i];
    twin.twin = true;
    if (twin.lambda->canary) places.push_back(twin);
  }
  return places;
}

std::vector<wire::HostLambda> names_of(const std::vector<LambdaPlace>& places, const Config& config) {
  std::vector<wire::HostLambda> names;
  for (const LambdaPlace& place : places)
    names.push_back({.domain = config.domains[place.topology->domain].name,
                     .topology = place.topology->name,
                     .name = place.lambda->name,
                     .plugin = place.lambda->plugin,
                     .twin = place.twin});
  return names;
}

WorkerPlan plan_of(const Config& config) {
  WorkerPlan plan;
  const SpeedWatch::Limits speed{.slower = config.rollback.slower,
                                 .above_ns = config.rollback.above_ms * ns_per_ms,
                                 .events = config.rollback.events};
  for (const LambdaPlace& place : lambdas_of(config))  // of one that has a canary the broker compares versions
    plan.lambdas.push_back(worker_lambda(place, place.by_broker ? SpeedWatch::Limits{.slower = 0} : speed));
  return plan;
}

std::int64_t look_interval_ns(const WorkerPlan& plan) {
  std::int64_t interval_ns = look_most_ns;
  for (const WorkerLambda& lambda : plan.lambdas) {
    interval_ns = std::min({interval_ns, lambda.timeout_ns / 4, lambda.timeout_max_ns / 4});
  }
  return std::max(interval_ns, look_least_ns);
}

child::ChildSpec spec_of(const Config& config, const LambdaPlace& place, child::PluginImagePtr image) {
  child::ChildSpec spec;
  spec.kind = child::ChildKind::lambda;
  spec.image = std::move(image);
  const DomainConfig& domain = config.domains[place.topology->domain];
  spec.domain = config.domains[domain.shadow_of.value_or(place.topology->domain)].name;
  spec.replay = place.topology->shadow_of.has_value();
  spec.topology = place.topology->name;
  spec.lambda = place.lambda->name;
  spec.config_json = place.lambda->config_json;
  spec.config_dir = config.base_dir();
  spec.grant = place.lambda->grant;
  spec.state_dir = config.state_dir(*place.topology, *place.lambda);
  spec.limits = place.lambda->limits;
  spec.payload_bytes_max = config.payload_bytes_max;
  for (const LambdaConfig& other : place.topology->lambdas)
    if (std::ranges::find(place.lambda->needs, other.name) != place.lambda->needs.end())
      spec.inputs_bytes_max += other.limits.output_bytes;
  spec.require_level = config.sandbox_require;
  spec.timeout_ns = place.lambda->timeout_ms * ns_per_ms;
  spec.timeout_max_ns = place.lambda->timeout_max_ms * ns_per_ms;
  return spec;
}

void note_newest(Shelves& shelves, const std::vector<child::PluginImagePtr>& offered) {
  for (const child::PluginImagePtr& image : offered) shelves.newest_hashes[image->id] = image->hash;
}

bool is_withdrawn(const Shelves& shelves, const std::string& plugin) {
  if (std::ranges::any_of(shelves.serving, [&](const auto& image) { return image->id == plugin; })) return false;
  const auto removed = shelves.newest_hashes.find(plugin);
  return std::ranges::none_of(shelves.named, [&](const auto& image) {
    return image->id == plugin && (removed == shelves.newest_hashes.end() || image->hash != removed->second);
  });
}

PluginServes serving_of(LambdaIndex index, const LambdaPlace& place, const Shelves& shelves,
                        const wire::ServedVersion* said) {
  const LambdaConfig& lambda = *place.lambda;
  const auto newest =
      std::ranges::find_if(shelves.serving, [&](const auto& i) { return i->id == lambda.plugin; });
  const bool by_broker = place.by_broker && !(said && said->newest);
  if (newest == shelves.serving.end() && !(by_broker && said && serves_without_file(lambda.plugin, shelves)))
    return {.lambda = index, .hash = {}, .trouble = missing_plugin(lambda.plugin, shelves)};
  std::string mistake;
  const child::PluginImagePtr image = by_broker ? image_said(place, shelves, said, mistake) : *newest;
  if (!image) return {.lambda = index, .hash = {}, .trouble = std::move(mistake)};
  mistake = child::role_mistake(*image, child::ChildKind::lambda, lambda.grant);
  if (!mistake.empty())
    return {.lambda = index, .hash = {}, .trouble = std::move(mistake), .refused = image->hash};
  return {.lambda = index, .hash = image->hash, .trouble = {}};
}

void correct(std::vector<child::FileVerdict>& files, const std::vector<LambdaPlace>& places,
             const std::map<LambdaIndex, wire::ServedVersion>& said, const std::vector<PluginServes>& serves) {
  for (child::FileVerdict& file : files) {
    if (!file.image || file.state == child::FileVerdict::State::set_aside) continue;
    bool is_said = false, runs = false;
    for (const PluginServes& one : serves) {
      if (places[one.lambda].lambda->plugin != file.image->id) continue;
      const auto at = said.find(one.lambda);
      is_said |= at != said.end() && !at->second.newest && !at->second.hash.empty();
      runs |= one.hash == file.image->hash || one.refused == file.image->hash;
    }
    if (is_said) file.state = runs ? child::FileVerdict::State::serves : child::FileVerdict::State::stands_by;
  }
}

std::vector<wire::PluginOffer> offers_of(const Shelves& shelves) {
  std::vector<wire::PluginOffer> offers;
  const auto add = [&](const child::PluginImage& image, bool serves) {
    if (!image.is_lambda() || offers.size() == wire::offers_per_message_max) return;
    const auto since = shelves.since_wall_ns.find(image.hash);
    offers.push_back({.id = image.id,
                      .version = image.version,
                      .hash = image.hash,
                      .file = image.file,
                      .serves = serves && shelves.settled,  // until then another file may yet
                      .wants = image.wants,
                      .since_wall_ns = since == shelves.since_wall_ns.end() ? 0 : since->second,
                      .signed_by = image.signed_by});
  };
  for (const child::PluginImagePtr& image : shelves.serving) add(*image, true);
  for (const child::PluginImagePtr& image : shelves.standing_by) add(*image, false);
  for (const child::PluginImagePtr& image : shelves.named)
    if (!find_hash(shelves.serving, image->hash) && !find_hash(shelves.standing_by, image->hash))
      add(*image, false);
  return offers;
}

}  // namespace cape::host
