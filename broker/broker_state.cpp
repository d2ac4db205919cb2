#include "broker/broker_state.hpp"

#include <algorithm>

namespace cape::broker {
namespace {

std::vector<SourceLink> make_links(const Config& config, int life_fd) {
  std::vector<SourceLink> links;
  links.reserve(config.domains.size());
  for (const DomainConfig& domain : config.domains) links.emplace_back(config, domain, life_fd);
  return links;
}

}  // namespace

BrokerState::BrokerState(DispatcherOptions given, std::vector<storage::HostLease> recorded,
                         std::int64_t now_ns)
    : options(std::move(given)),
      plan(scheduler::make_plan(options.config)),
      scheduler(plan, options.store.epoch()),
      subjects(options.config, scheduler, options.store),
      links(make_links(options.config, options.life_fd)),
      tracker(options.config, scheduler, subjects, links, pinged_subjects_max),
      coverage(options.config, options.store),
      refresh(options.config, scheduler, subjects, options.store, links, tracker, coverage),
      saver(options.config, options.store),
      baselines(options.config, links, saver),
      operators(options.config, plan, scheduler, subjects, options.store, saver),
      hosts(plan, options.store.epoch(), options.transport, saver, std::move(recorded), now_ns),
      publisher(plan, hosts, options.transport),
      latencies(plan),
      failure_log(plan),
      started_ns(now_ns) {}

std::optional<DomainIndex> BrokerState::domain_index(std::string_view name) const {
  const auto at = std::ranges::find(config().domains, name, &DomainConfig::name);
  if (at == config().domains.end()) return std::nullopt;
  return static_cast<DomainIndex>(at - config().domains.begin());
}

}  // namespace cape::broker
