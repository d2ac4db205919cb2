// [topology.NAME] and [topology.NAME.lambda.NAME]: who consumes events, and how.
#include <algorithm>

#include <fmt/format.h>

#include "core/config/parts.hpp"
#include "core/config/units.hpp"

namespace cape::config {
namespace {

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::uint32_t children_max_ceiling = 256;

// false: there is no such domain.
bool read_domain_name(Section& section, const Config& config, TopologyConfig& topology) {
  const std::string name = section.name("domain", "domain = \"history\"");
  if (name.empty()) return false;
  const auto it = std::ranges::find(config.domains, name, &DomainConfig::name);
  topology.domain = static_cast<DomainIndex>(it - config.domains.begin());
  if (it != config.domains.end()) return true;

  topology.domain = 0;
  std::vector<std::string> names;
  for (const DomainConfig& domain : config.domains) names.push_back(domain.name);
  const std::string_view meant = nearest(name, names);
  section.mistake("domain",
                  meant.empty()
                      ? fmt::format("no domain \"{0}\" in this file; add a table [domain.{0}]", name)
                      : fmt::format("no domain \"{}\" in this file; did you mean \"{}\"?", name, meant));
  return false;
}

void read_mode(Section& section, Mode& mode) {
  const auto name = section.text("mode");
  if (!name || *name == "strict") return;
  if (*name == "pipelined")
    mode = Mode::pipelined;
  else if (*name == "latest")
    mode = Mode::latest;
  else
    section.mistake("mode", fmt::format("expected \"strict\", \"pipelined\" or \"latest\", found \"{}\"",
                                        printable(*name, 64)));
}

void read_start(Section& section, StartPosition& start) {
  constexpr std::string_view expected =
      "expected \"beginning\", \"latest\" or the first sequence to run, an integer from 1";
  const Entry* entry = section.take("start");
  if (!entry) return;
  const auto* text = entry->node.as<std::string>();
  const auto* sequence = entry->node.as<std::int64_t>();
  if (text && *text == "beginning") return;
  if (text && *text == "latest")
    start.kind = StartPosition::Kind::latest;
  else if (sequence && *sequence >= 1)
    start = {StartPosition::Kind::sequence, *sequence};
  else
    section.mistake("start", std::string(expected));
}

void read_late(Section& section, TopologyConfig& topology) {
  const auto name = section.text("late");
  if (!name || *name == "report") return;
  if (*name != "run")
    return section.mistake(
        "late", fmt::format("expected \"report\" or \"run\", found \"{}\"", printable(*name, 64)));
  topology.late = Late::run;
  if (topology.mode == Mode::latest)
    section.mistake("late",
                    "an event below the newest one never runs in mode \"latest\"; take the key away, or use "
                    "\"strict\" or \"pipelined\"");
  // Where it begins is not known for every subject once it has a cursor there.
  if (topology.start.kind == StartPosition::Kind::latest)
    section.mistake("late",
                    "\"run\" could run events that the topology's start has passed over, so not with start = "
                    "\"latest\"; write late = \"report\", and rewind to what shall run");
}

// What a dependant would get for it was given long ago, to no one.
void refuse_late_with_needs(Section& section, const TopologyConfig& topology) {
  if (topology.late == Late::run &&
      std::ranges::any_of(topology.lambdas, [](const LambdaConfig& lambda) { return !lambda.needs.empty(); }))
    section.mistake("late",
                    "\"run\" gives an event to each lambda on its own, so not where lambdas need others; "
                    "write late = \"report\", and rewind what is reported");
}

void read_retry(Section& topology, RetryPolicy& retry) {
  Section section = topology.table("retry");
  section.duration_ms("first", retry.first_ms, {.min = 1, .max = day_ms});
  section.number("factor", retry.factor, 1, 100);
  section.duration_ms("max", retry.max_ms, {.min = 1, .max = 30 * day_ms});
  section.integer("park_after", retry.park_after, {.min = 0, .max = 1'000'000});
  section.finish();
  if (retry.max_ms < retry.first_ms)
    section.mistake(section.entries().find("max") ? "max" : "first",
                    fmt::format("first ({}) is longer than max ({})", duration_text(retry.first_ms),
                                duration_text(retry.max_ms)));
}

void read_children(Section& section, LambdaConfig& lambda) {
  const bool writes = lambda.grant.state || !lambda.grant.write.empty();
  lambda.children_max = writes ? 1 : 2;
  section.integer("children_max", lambda.children_max, {.min = 1, .max = children_max_ceiling});
  if (writes && lambda.children_max > 1)
    section.mistake("children_max",
                    "with a state or write grant the lambda has one child at a time, or two would "
                    "write the same files; write children_max = 1 or take the grant away");
}

void read_timeouts(Section& section, LambdaConfig& lambda) {
  section.duration_ms("timeout", lambda.timeout_ms, {.min = 10, .max = day_ms});
  section.duration_ms("timeout_max", lambda.timeout_max_ms, {.min = 10, .max = 7 * day_ms});
  check_timeouts(section, lambda.timeout_ms, lambda.timeout_max_ms);
}

void read_breaker(Section& lambda, BreakerPolicy& breaker) {
  Section section = lambda.table("breaker");
  section.flag("enabled", breaker.enabled);
  section.integer("subjects", breaker.subjects, {.min = 2, .max = 1000});
  section.duration_ms("probe_max", breaker.probe_max_ms, {.min = 10, .max = day_ms});
  section.finish();
}

// A lambda's own one wins over the topology's.
void apply_canary(Section& section, const CanaryPolicy& canary, TopologyConfig& topology) {
  for (LambdaConfig& lambda : topology.lambdas) {
    if (lambda.canary) continue;
    lambda.canary = canary;
    refuse_canary_with_state(section, lambda);
  }
}

LambdaConfig read_lambda(const std::string& name, Section section, const Config& config,
                         std::vector<NeedsKey>& needs_keys) {
  LambdaConfig lambda;
  lambda.name = name;
  lambda.plugin = section.name("plugin", "plugin = \"audit_log\"");
  std::vector<std::string> needs = section.texts("needs");
  lambda.where = read_labels(section, "where");
  PluginKeys keys = read_plugin_keys(section, config);
  lambda.config_json = std::move(keys.config_json);
  lambda.grant = std::move(keys.grant);
  lambda.limits = keys.limits;
  read_children(section, lambda);
  read_timeouts(section, lambda);
  read_breaker(section, lambda.breaker);
  lambda.canary = read_canary(section);
  if (lambda.canary) refuse_canary_with_state(section, lambda);
  section.finish();
  needs_keys.push_back({std::move(section), std::move(needs)});
  return lambda;
}

TopologyConfig read_topology(const std::string& name, Section section, const Config& config,
                             std::vector<AfterKey>& after) {
  TopologyConfig topology;
  topology.name = name;
  // Its lambdas' state would lie where the domains' does.
  if (name == "domain") section.mistake("", "a topology cannot be called \"domain\"; choose another name");
  const bool has_domain = read_domain_name(section, config, topology);
  read_mode(section, topology.mode);
  read_start(section, topology.start);
  read_late(section, topology);
  std::vector<std::string> earlier = section.texts("after");
  read_retry(section, topology.retry);
  section.integer("batch_events", topology.batch_events, {.min = 1, .max = 4096});
  section.integer("events_per_s", topology.events_per_s, {.min = 1, .max = 100'000'000});
  section.integer("jobs_max", topology.jobs_max, {.min = 1, .max = 1'000'000});
  section.integer("weight", topology.weight, {.min = 1, .max = 1000});
  section.duration_ms("stuck_after", topology.stuck_after_ms, {.min = 1, .max = 365 * day_ms});
  section.size("batch_bytes", topology.batch_bytes, {.min = 1, .max = 16 << 20});
  section.size("outputs_bytes_max", topology.outputs_bytes_max, {.min = 1 << 10, .max = 1 << 30});
  const std::optional<CanaryPolicy> canary = read_canary(section);
  std::vector<NeedsKey> needs;  // names that may stand further down
  Section lambdas = section.table("lambda");
  for_each_named(lambdas, [&](const std::string& lambda, Section inner) {
    topology.lambdas.push_back(read_lambda(lambda, std::move(inner), config, needs));
  });
  if (canary) apply_canary(section, *canary, topology);
  resolve_needs(needs, topology);
  refuse_late_with_needs(section, topology);
  if (lambdas.entries().entries.empty())
    section.mistake("lambda",
                    fmt::format("missing; add a table [topology.{}.lambda.NAME] with its plugin", name));
  section.finish();
  after.push_back({std::move(section), std::move(earlier), has_domain});
  return topology;
}

}  // namespace

void read_topologies(Section& file, Config& config) {
  std::vector<AfterKey> after;  // names that may stand further down
  for_each_named(file.table("topology"), [&](const std::string& name, Section section) {
    config.topologies.push_back(read_topology(name, std::move(section), config, after));
  });
  resolve_after(after, config);
}

}  // namespace cape::config
