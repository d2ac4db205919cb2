#include "broker/broker_state.hpp"

#include <algorithm>

#include "core/config/shadow.hpp"

namespace cape::broker {
namespace {

std::vector<SourceLink> make_links(const Config& config, int life_fd) {
  std::vector<SourceLink> links;
  links.reserve(live_domains(config));
  for (const DomainConfig& domain : config.domains)
    if (!domain.shadow_of) links.emplace_back(config, domain, life_fd);
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
      replays({.config = options.config,
               .scheduler = scheduler,
               .store = options.store,
               .reads = shadow_reads,
               .saver = saver}),
      failure_log(plan),
      started_ns(now_ns) {}

Result<void> BrokerState::open() {
  if (auto opened = journals.open(config()); !opened) return opened;
  auto builtin = child::builtin_plugin_dir();
  if (!builtin) return std::unexpected(builtin.error());
  auto made_intake = child::make_intake({.dirs = config().plugins,
                                         .builtin_dirs = {*builtin},
                                         .require_level = config().sandbox_require,
                                         .life_fd = options.life_fd,
                                         .signatures = {config().require_signature, config().trusted_keys}});
  if (!made_intake) return std::unexpected(made_intake.error());
  intake = std::move(*made_intake);
  auto opened_frontend = Frontend::open(options.zmq, options.gate, config());
  if (!opened_frontend) return std::unexpected(opened_frontend.error());
  frontend = std::move(*opened_frontend);
  auto opened_admin = AdminServer::open(options.zmq, options.gate, config());
  if (!opened_admin) return std::unexpected(opened_admin.error());
  admin = std::move(*opened_admin);
  auto opened_monitor = Monitor::open(options.zmq, options.gate, config());
  if (!opened_monitor) return std::unexpected(opened_monitor.error());
  monitor = std::move(*opened_monitor);
  return {};
}

std::optional<DomainIndex> BrokerState::domain_index(std::string_view name) const {
  const auto at = std::ranges::find(config().domains, name, &DomainConfig::name);
  if (at == config().domains.end()) return std::nullopt;
  const auto index = static_cast<DomainIndex>(at - config().domains.begin());
  if (at->shadow_of && is_hidden(plan.of_domain[index].front())) return std::nullopt;
  return index;
}

}  // namespace cape::broker
