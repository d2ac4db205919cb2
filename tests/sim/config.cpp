#include "tests/sim/config.hpp"

#include <algorithm>
#include <cstdint>

#include "core/config/shadow.hpp"

namespace cape::scheduler {
namespace {

// A topology's place in the order in which the run's own plan lets them come after each other. An `after`
// that points to a lower one can never close a circle.
std::size_t rank_of(const SchedulerPlan& all, TopologyIndex topology) {
  std::size_t rank = 0;
  for (TopologyIndex earlier : all.topologies[topology].after)
    rank = std::max(rank, 1 + rank_of(all, earlier));
  return rank;
}

void toggle_after(SimConfig& config, const SchedulerPlan& all, TopologyIndex a, TopologyIndex b) {
  if (rank_of(all, a) == rank_of(all, b)) return;
  const TopologyIndex first = rank_of(all, a) < rank_of(all, b) ? a : b;
  std::vector<TopologyIndex>& after = config.after[first == a ? b : a];
  if (std::erase(after, first) == 0) after.push_back(first);
}

void add_twin(Life& life, LambdaIndex lambda) {
  const auto at = std::ranges::find(life.lambda_of, lambda);
  if (at == life.lambda_of.end()) return;
  const auto here = static_cast<LambdaIndex>(at - life.lambda_of.begin());
  LambdaSpec twin = life.plan.lambdas[here];
  twin.is_twin = true;
  twin.twin = here;
  life.plan.lambdas[here].twin = static_cast<LambdaIndex>(life.plan.lambdas.size());
  life.plan.lambdas.push_back(std::move(twin));
  life.lambda_of.push_back(lambda);
}

}  // namespace

SimConfig whole_config(const SchedulerPlan& all) {
  SimConfig config{.known = std::vector<bool>(all.topologies.size(), true), .after = {}};
  for (const TopologySpec& topology : all.topologies) config.after.push_back(topology.after);
  return config;
}

std::size_t live_topologies(const SchedulerPlan& all) {
  return static_cast<std::size_t>(std::ranges::count(all.topologies, false, &TopologySpec::shadow));
}

void set_known(SimConfig& config, const SchedulerPlan& all, TopologyIndex live, bool known) {
  for (std::size_t at = live; at < all.topologies.size(); at += live_topologies(all))
    config.known[at] = known;
}

void change_config(SimConfig& config, const SchedulerPlan& all, std::mt19937_64& random) {
  const std::size_t count = live_topologies(all);
  const auto topology = static_cast<TopologyIndex>(random() % count);
  if (random() % 2 == 0)
    return toggle_after(config, all, topology, static_cast<TopologyIndex>(random() % count));
  const bool is_last = std::ranges::count(config.known.begin(), config.known.begin() + count, true) == 1;
  set_known(config, all, topology, !config.known[topology] || is_last);
}

Life make_life(const SchedulerPlan& all, const SimConfig& config) {
  Life life;
  life.plan = all;
  life.plan.topologies.clear();
  life.plan.lambdas.clear();
  life.plan.of_domain.assign(1, {});
  life.plan.domains.resize(1);
  life.topology_here.assign(all.topologies.size(), not_known);
  for (TopologyIndex topology = 0; topology < all.topologies.size(); ++topology) {
    if (!config.known[topology]) continue;
    const auto here = static_cast<TopologyIndex>(life.plan.topologies.size());
    life.topology_here[topology] = here;
    life.topology_of.push_back(topology);
    TopologySpec spec = all.topologies[topology];
    if (spec.shadow) {
      spec.domain = static_cast<DomainIndex>(life.plan.domains.size());
      life.plan.domains.push_back(spec.name);
      life.plan.of_domain.emplace_back();
    }
    life.plan.of_domain[spec.domain].push_back(here);
    spec.first_lambda = static_cast<LambdaIndex>(life.plan.lambdas.size());
    for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
      const LambdaIndex lambda = all.topologies[topology].first_lambda + i;
      life.lambda_of.push_back(lambda);
      life.plan.lambdas.push_back(all.lambdas[lambda]);
      life.plan.lambdas.back().topology = here;
      for (LambdaIndex& needed : life.plan.lambdas.back().needs)
        needed = needed - all.topologies[topology].first_lambda + spec.first_lambda;
    }
    life.plan.topologies.push_back(std::move(spec));
  }
  for (LambdaIndex lambda : config.canaries) add_twin(life, lambda);
  for (TopologyIndex here = 0; here < life.topology_of.size(); ++here) {
    std::vector<TopologyIndex>& after = life.plan.topologies[here].after;
    after.clear();
    for (TopologyIndex earlier : config.after[life.topology_of[here]])
      if (config.known[earlier]) after.push_back(life.topology_here[earlier]);
  }
  return life;
}

Config broker_config(const Life& life) {
  Config config;
  config.domains.push_back({.name = life.plan.domains.front()});
  for (const TopologySpec& spec : std::span(life.plan.topologies).first(life.live().size())) {
    TopologyConfig& topology = config.topologies.emplace_back();
    topology.name = spec.name;
    for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
      topology.lambdas.emplace_back().name = life.plan.lambdas[spec.first_lambda + i].name;
  }
  return life.plan.topologies.back().shadow ? with_shadows(std::move(config)) : config;
}

}  // namespace cape::scheduler
