#include "broker/plugin_list.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "broker/broker_state.hpp"
#include "broker/json.hpp"
#include "host/child/wish_names.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;

json wishes_of(std::uint32_t wants) {
  json names = json::array();
  for (const child::Wish& wish : child::all_wishes)
    if ((wants & wish.bit) != 0) names.push_back(wish.name);
  return names;
}

// `name`: of the lambda or domain whose grant it is.
void add_wishes(json& entry, std::uint32_t wants, const std::string& name, const Grant& grant) {
  for (const child::Wish& wish : child::all_wishes)
    if ((wants & wish.bit) != 0)
      entry[child::is_granted(grant, wish.bit) ? "granted" : "refused"][name].push_back(wish.name);
}

json utc_of(std::int64_t wall_ns) {
  if (wall_ns <= 0) return nullptr;
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ns / ns_per_s)));
}

struct What {
  std::string id, version, hash, file;
  const char* kind;
  std::uint32_t wants = 0;
  std::int64_t since_wall_ns = 0;
  std::string signed_by = {};
};

json entry_of(const BrokerState& b, const What& what, const char* state) {
  const storage::Pin* pin = b.pin_desk.of(what.id);
  json pinned = nullptr;
  if (pin != nullptr) pinned = pin->hash.empty() ? pin->version : pin->hash.substr(0, 12);
  return {{"id", what.id},
          {"version", what.version},
          {"hash", what.hash},
          {"file", what.file},
          {"signed_by", what.signed_by},
          {"kind", what.kind},
          {"state", state},
          {"since", utc_of(what.since_wall_ns)},
          {"pinned", std::move(pinned)},
          {"wishes", wishes_of(what.wants)},
          {"granted", json::object()},
          {"refused", json::object()},
          {"trouble", json::object()},
          {"running", 0},
          {"restarts", 0},
          {"level", nullptr},
          {"children", json::array()}};
}

std::string name_of_lambda(const BrokerState& b, LambdaIndex index) {
  const scheduler::LambdaSpec& lambda = b.plan.lambdas[index];
  return b.plan.topologies[lambda.topology].name + "." + lambda.name;
}

void add_child(json& entry, json child) {
  const std::string level = child["level"];
  if (entry["level"].is_null() || entry["level"].get<std::string>() < level) entry["level"] = level;
  entry["running"] = entry["running"].get<int>() + 1;
  entry["children"].push_back(std::move(child));
}

json source_entry(const BrokerState& b, DomainIndex domain) {
  SourceLink::Status s = b.links[domain].status();
  if (s.trouble.empty()) s.trouble = b.tracker.trouble(domain);
  json entry = entry_of(b,
                        {.id = s.plugin,
                         .version = s.version,
                         .hash = s.hash,
                         .file = s.file,
                         .kind = "source",
                         .wants = s.wants,
                         .since_wall_ns = s.since_wall_ns,
                         .signed_by = s.signed_by},
                        s.trouble.empty() ? "serving" : "not_serving");
  entry["domain"] = s.domain;
  entry["restarts"] = s.restarts;
  Grant grant = b.config().domains[domain].grant;
  if (s.plugin == journal_source) grant.read.emplace_back(b.config().journal_dir(b.config().domains[domain]));
  add_wishes(entry, s.wants, s.domain, grant);
  if (!s.trouble.empty()) entry["trouble"][s.domain] = s.trouble;
  if (s.pid > 0)
    add_child(entry, {{"pid", s.pid},
                      {"level", std::string(1, s.level)},
                      {"restarts", s.restarts},
                      {"recycled", s.recycled},
                      {"missing", s.missing}});
  return entry;
}

json image_entry(const BrokerState& b, const child::PluginImage& image, const char* state) {
  return entry_of(b,
                  {.id = image.id,
                   .version = image.version,
                   .hash = image.hash,
                   .file = image.file,
                   .kind = "source",
                   .wants = image.wants,
                   .signed_by = image.signed_by},
                  state);
}

// Sources that are there and that no domain names.
void add_unused(const BrokerState& b, json& plugins) {
  for (const child::PluginImagePtr& image : b.source_plugins.serving()) {
    const bool used =
        std::ranges::find(b.config().domains, image->id, &DomainConfig::source) != b.config().domains.end();
    if (image->is_source() && !used) plugins.push_back(image_entry(b, *image, "unused"));
  }
}

// Files that could serve a domain while other bytes do, and those that were found wanting.
void add_standing_by(const BrokerState& b, json& plugins) {
  const std::vector<wire::SetAside> aside = b.source_plugins.set_aside();
  for (const child::PluginImagePtr& image : b.intake->available()) {
    const auto serves = [&](const child::PluginImagePtr& other) { return other->hash == image->hash; };
    if (!image->is_source() || std::ranges::any_of(b.source_plugins.serving(), serves)) continue;
    if (b.source_plugins.is_former_bad(image->hash)) continue;
    const bool is_aside = std::ranges::find(aside, image->hash, &wire::SetAside::hash) != aside.end();
    plugins.push_back(image_entry(b, *image, is_aside ? "set_aside" : "stands_by"));
  }
}

void add_children(const BrokerState& b, const Hosts::Session& session, const std::string& hash, json& entry) {
  std::map<LambdaIndex, std::uint32_t> restarts;
  for (const wire::ChildReport& c : session.report.children) {
    if (c.hash != hash || c.lambda >= b.plan.lambdas.size()) continue;
    restarts[c.lambda] = std::max(restarts[c.lambda], c.restarts);
    add_child(entry, {{"pid", c.pid},
                      {"level", std::string(1, c.level)},
                      {"lambda", name_of_lambda(b, c.lambda)},
                      {"restarts", c.restarts},
                      {"recycled", c.recycled},
                      {"cpu_ms", c.cpu_ms},
                      {"resident_bytes", c.resident_bytes},
                      {"missing", c.missing}});
  }
  std::uint64_t all = 0;
  for (const auto& [lambda, count] : restarts) all += count;
  entry["restarts"] = all;
}

// Where `lambda` is to run these bytes: its slot, its twin or neither. With a canary that is what the broker has
// said, whatever the host's directories have as the newest.
std::vector<LambdaIndex> slots_of(const BrokerState& b, LambdaIndex lambda, const wire::PluginOffer& offer) {
  if (b.plan.lambdas[lambda].plugin != offer.id) return {};
  const std::map<LambdaIndex, std::string> told = b.canaries.told_of(lambda);
  if (told.empty()) return offer.serves ? std::vector{lambda} : std::vector<LambdaIndex>();
  std::vector<LambdaIndex> slots;
  for (const auto& [slot, hash] : told)
    if (hash == offer.hash) slots.push_back(slot);
  return slots;
}

// What some lambda is to run on this host.
struct Use {
  bool is_named = false;  // by a lambda of the config
  bool runs = false;
};

// Of the lambdas that use it: what they are granted and what keeps them from running.
Use add_lambdas(const BrokerState& b, const Hosts::Session& session, const wire::PluginOffer& offer, json& entry) {
  Use use;
  LambdaIndex index = 0;
  for (const TopologyConfig& topology : b.config().topologies) {
    for (const LambdaConfig& lambda : topology.lambdas) {
      const LambdaIndex l = index++;
      if (lambda.plugin != offer.id || b.is_hidden(b.plan.lambdas[l].topology)) continue;
      use.is_named = true;
      add_wishes(entry, offer.wants, name_of_lambda(b, l), lambda.grant);
      for (const LambdaIndex slot : slots_of(b, l, offer)) {
        use.runs = true;
        const auto credit = session.credit.find(slot);
        if (credit != session.credit.end() && !credit->second.trouble.empty())
          entry["trouble"][name_of_lambda(b, l)] = credit->second.trouble;
      }
    }
  }
  return use;
}

const char* state_of(const Hosts::Session& session, const wire::PluginOffer& offer, Use use, bool has_trouble) {
  if (use.runs) return has_trouble ? "not_serving" : "serving";
  if (offer.serves && !use.is_named) return "unused";
  const auto& aside = session.report.set_aside;
  const bool is_aside = std::ranges::find(aside, offer.hash, &wire::SetAside::hash) != aside.end();
  return is_aside ? "set_aside" : "stands_by";
}

json offer_entry(const BrokerState& b, const Hosts::Session& session, const wire::PluginOffer& offer) {
  json entry = entry_of(b,
                        {.id = offer.id,
                         .version = offer.version,
                         .hash = offer.hash,
                         .file = offer.file,
                         .kind = "lambda",
                         .wants = offer.wants,
                         .since_wall_ns = offer.since_wall_ns,
                         .signed_by = offer.signed_by},
                        "stands_by");
  entry["host"] = session.name;
  const Use use = add_lambdas(b, session, offer, entry);
  entry["state"] = state_of(session, offer, use, !entry["trouble"].empty());
  add_children(b, session, offer.hash, entry);
  entry["canary"] = b.canaries.roles_of(offer.id, offer.hash);
  return entry;
}

// Plugins that the config names and that serve on no host.
void add_missing(const BrokerState& b, json& plugins) {
  for (LambdaIndex l = 0; l < b.plan.lambdas.size(); ++l) {
    if (b.is_hidden(b.plan.lambdas[l].topology)) continue;
    const std::string& id = b.plan.lambdas[l].plugin;
    const auto serves = [&](const auto& entry) {
      return std::ranges::any_of(entry.second.offers, [&](const wire::PluginOffer& offer) {
        return (offer.serves && offer.id == id) || !slots_of(b, l, offer).empty();
      });
    };
    if (std::ranges::any_of(b.hosts.sessions(), serves)) continue;
    std::string trouble = "no host offers it: put its .so into a plugin directory";
    for (const auto& [host, session] : b.hosts.sessions())
      if (auto credit = session.credit.find(l);
          credit != session.credit.end() && !credit->second.trouble.empty())
        trouble = credit->second.trouble;
    json entry = entry_of(b, {.id = id, .version = "", .hash = "", .file = "", .kind = "lambda"}, "missing");
    entry["trouble"][name_of_lambda(b, l)] = trouble;
    plugins.push_back(std::move(entry));
  }
}

}  // namespace

json plugin_list(const BrokerState& b) {
  json plugins = json::array(), set_aside = json::array();
  const auto add_aside = [&](const wire::SetAside& bad) {
    set_aside.push_back({{"file", bad.file}, {"hash", bad.hash}, {"reason", bad.reason}});
  };
  for (DomainIndex domain = 0; domain < b.links.size(); ++domain) plugins.push_back(source_entry(b, domain));
  add_unused(b, plugins);
  add_standing_by(b, plugins);
  for (const wire::SetAside& bad : b.source_plugins.set_aside()) add_aside(bad);
  for (const auto& [id, session] : b.hosts.sessions()) {
    for (const wire::PluginOffer& offer : session.offers) plugins.push_back(offer_entry(b, session, offer));
    for (const wire::SetAside& bad : session.report.set_aside) add_aside(bad);
  }
  add_missing(b, plugins);
  return {{"plugins", std::move(plugins)}, {"set_aside", std::move(set_aside)}};
}

}  // namespace cape::broker
