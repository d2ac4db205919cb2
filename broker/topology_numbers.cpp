#include "broker/topology_numbers.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "broker/exceptions.hpp"
#include "core/clock.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;

constexpr std::size_t behind_rows_max = 2000;  // counted on the loop: a few milliseconds at most

struct BehindCount {
  std::vector<std::uint64_t> behind, parked, stuck, late;  // by TopologyIndex
  bool whole = true;
};

BehindCount count_behind(BrokerState& b) {
  BehindCount count;
  count.behind.resize(b.plan.topologies.size());
  count.parked.resize(b.plan.topologies.size());
  count.stuck.resize(b.plan.topologies.size());
  count.late.resize(b.plan.topologies.size());
  const std::int64_t now_ns = wall_ns();
  auto rows = b.options.store.behind(0, behind_rows_max);
  count.whole = rows && rows->size() < behind_rows_max;
  if (!rows) return count;
  for (const storage::StoredSubject& row : *rows) {
    const auto domain = b.domain_index(row.domain);
    if (!domain) continue;
    const auto view = b.scheduler.view(row.id, *domain, &row.info);
    for (const scheduler::TopologyView& t : view.topologies) {
      if (t.cursor < view.latest) ++count.behind[t.topology];
      if (t.state == scheduler::SubjectState::parked) ++count.parked[t.topology];
      const auto exception = exception_of(b.config(), t.topology, row.info, view.latest, {}, now_ns);
      count.stuck[t.topology] += exception && exception->stuck;
      count.late[t.topology] += exception ? exception->late : 0;
    }
  }
  return count;
}

struct ChildCount {
  std::uint64_t children = 0;
  char level = '-';  // the lowest
};

std::vector<ChildCount> count_children(const BrokerState& b) {
  std::vector<ChildCount> counts(b.plan.topologies.size());
  for (const auto& [id, session] : b.hosts.sessions())
    for (const wire::ChildReport& child : session.report.children) {
      if (child.lambda >= b.plan.lambdas.size()) continue;
      ChildCount& count = counts[b.plan.lambdas[child.lambda].topology];
      ++count.children;
      if (child.level >= 'A' && child.level <= 'D')
        count.level = count.level == '-' ? child.level : std::max(count.level, child.level);
    }
  return counts;
}

double rounded(double rate) {
  return std::round(rate * 10) / 10;
}

json names_of(const BrokerState& b, const std::vector<LambdaIndex>& lambdas) {
  json names = json::array();
  for (LambdaIndex lambda : lambdas) names.push_back(b.plan.lambdas[lambda].name);
  return names;
}

json lambdas_of(const BrokerState& b, const scheduler::TopologySpec& topology) {
  json lambdas = json::array();
  for (LambdaIndex l = topology.first_lambda; l < topology.first_lambda + topology.lambda_count; ++l) {
    scheduler::CircuitView circuit = b.scheduler.circuit(l);
    if (const auto twin = b.plan.lambdas[l].twin; twin && !circuit.open) circuit = b.scheduler.circuit(*twin);
    lambdas.push_back({{"lambda", b.plan.lambdas[l].name},
                       {"plugin", b.plan.lambdas[l].plugin},
                       {"needs", names_of(b, b.plan.lambdas[l].needs)},
                       {"circuit", circuit.open ? "open" : "closed"},
                       {"circuit_reason", circuit.reason},
                       {"circuit_opened", circuit.times_opened},
                       {"circuit_probes", circuit.probes}});
  }
  return lambdas;
}

// Subjects whose start a scan has fixed so far; null: none runs.
json baseline_number(const BrokerState& b, TopologyIndex topology) {
  const auto subjects = b.baselines.subjects_so_far(topology);
  return subjects ? json(*subjects) : json(nullptr);
}

// Of a shadow: as the last pass over its records counted.
json behind_of(const Replays::View& view) {
  if (!view.counts) return nullptr;
  return view.counts->behind + view.counts->failing + view.counts->parked;
}
json parked_of(const Replays::View& view) {
  return view.counts ? json(view.counts->parked) : json(nullptr);
}

}  // namespace

json latency_numbers(const LatencyHistogram& h) {
  return {{"count", h.count()},
          {"p50", h.quantile_us(0.5)},
          {"p95", h.quantile_us(0.95)},
          {"p99", h.quantile_us(0.99)}};
}

json topology_numbers(BrokerState& b) {
  const BehindCount count = count_behind(b);
  const std::vector<ChildCount> children = count_children(b);
  json list = json::array();
  for (TopologyIndex i = 0; i < b.plan.topologies.size(); ++i) {
    if (b.is_hidden(i)) continue;
    const scheduler::TopologySpec& t = b.plan.topologies[i];
    const auto replay = b.replays.view_of(i);
    const TopologyTraffic& traffic = b.latencies.of(i);
    list.push_back({{"topology", t.name},
                    {"domain", b.config().domains[t.domain].name},
                    {"mode", name_of(t.mode)},
                    {"lambdas", lambdas_of(b, t)},
                    {"canaries", b.canaries.rows_of(i, boot_ns())},
                    {"events_done", traffic.events_done},
                    {"events_per_s", rounded(traffic.events_per_s)},
                    {"jobs_per_s", rounded(traffic.jobs_per_s)},
                    {"jobs_in_flight", traffic.jobs_in_flight},
                    {"latency_us", latency_numbers(traffic.ping_to_start)},
                    {"behind", replay ? behind_of(*replay) : count.whole ? json(count.behind[i]) : json(nullptr)},
                    {"parked", replay ? parked_of(*replay) : count.whole ? json(count.parked[i]) : json(nullptr)},
                    {"stuck", count.whole ? json(count.stuck[i]) : json(nullptr)},
                    {"late", count.whole ? json(count.late[i]) : json(nullptr)},
                    {"baseline", baseline_number(b, i)},
                    {"replay", replay ? json(replay->replay.name) : json(nullptr)},
                    {"children", children[i].children},
                    {"sandbox_level", std::string(1, children[i].level)}});
  }
  return list;
}

}  // namespace cape::broker
