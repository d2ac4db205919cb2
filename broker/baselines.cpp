#include "broker/baselines.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

constexpr std::int64_t ring_full_ns = 10 * ns_per_ms;
constexpr std::int64_t store_retry_ns = 200 * ns_per_ms;
constexpr std::int64_t source_retry_ns = ns_per_s;

bool has_topology(const storage::Baseline& baseline, const std::string& topology) {
  return std::ranges::find(baseline.topologies, topology) != baseline.topologies.end();
}

}  // namespace

Baselines::Baselines(const Config& config, std::vector<SourceLink>& links, Saver& saver)
    : config_(config), links_(links), saver_(saver) {}

std::vector<TopologyIndex> Baselines::open(std::vector<storage::Baseline> stored) {
  std::uint64_t last_id = 0;
  for (const storage::Baseline& baseline : stored) last_id = std::max(last_id, baseline.id);
  std::vector<TopologyIndex> done;
  for (TopologyIndex i = 0; i < config_.topologies.size(); ++i) {
    const TopologyConfig& topology = config_.topologies[i];
    if (topology.start.kind != StartPosition::Kind::latest) continue;
    const std::string& domain = config_.domains[topology.domain].name;
    const auto known = std::ranges::find_if(stored, [&](const storage::Baseline& baseline) {
      return baseline.domain == domain && has_topology(baseline, topology.name);
    });
    if (known != stored.end() && known->done) {
      done.push_back(i);
      continue;
    }
    const std::uint64_t id = known != stored.end() ? known->id : 0;
    auto run = std::ranges::find_if(runs_, [&](const Run& r) {
      return r.domain == topology.domain && (id != 0 ? r.baseline.id == id : r.baseline.id > last_id);
    });
    if (run == runs_.end()) {
      runs_.push_back({.baseline = {},
                       .domain = topology.domain,
                       .topologies = {},
                       .call = {},
                       .page = {},
                       .trouble = {}});
      run = runs_.end() - 1;
      if (id != 0) run->baseline = *known;
    }
    if (id == 0) {  // a new one: its number lies above all that were stored
      run->baseline.domain = domain;
      run->baseline.topologies.push_back(topology.name);
      if (run->baseline.id == 0)
        run->baseline.id = last_id + static_cast<std::uint64_t>(run - runs_.begin()) + 1;
    }
    run->topologies.push_back(i);
  }
  for (const Run& run : runs_)
    log::info(
        "broker", "topologies {} begin at the latest of domain '{}': scanning it{}",
        fmt::join(run.baseline.topologies, ", "), run.baseline.domain,
        run.baseline.subjects > 0 ? fmt::format(", {} subjects were before", run.baseline.subjects) : "");
  return done;
}

void Baselines::step(std::int64_t now_ns) {
  for (Run& run : runs_) {
    if (now_ns < run.next_ns || run.call) continue;
    if (!run.page) {
      scan(run, now_ns);
    } else if (!std::exchange(run.page_out, true)) {
      saver_.put_baseline(*run.page);
    }
  }
}

void Baselines::scan(Run& run, std::int64_t now_ns) {
  SourceLink& link = links_[run.domain];
  if (!link.ready()) return;
  run.call = link.child().scan(run.baseline.token, subjects_per_page);
  if (!run.call) run.next_ns = now_ns + ring_full_ns;
}

std::optional<std::int64_t> Baselines::next_deadline() const {
  std::optional<std::int64_t> next;
  for (const Run& run : runs_) {
    if (run.call || run.page_out || (!run.page && !links_[run.domain].ready())) continue;
    next = next ? std::min(*next, run.next_ns) : run.next_ns;
  }
  return next;
}

bool Baselines::on_scan(DomainIndex domain, const child::ScanAnswer& answer, std::int64_t now_ns) {
  const auto run = std::ranges::find_if(
      runs_, [&](const Run& r) { return r.domain == domain && r.call && *r.call == answer.call; });
  if (run == runs_.end()) return false;
  run->call.reset();
  run->trouble.clear();
  if (answer.status != OutcomeKind::ok) {
    run->next_ns = now_ns + source_retry_ns;
    run->trouble = fmt::format("the source could not scan: {} {}", name_of(answer.status), answer.reason);
    log::warning("broker", "baseline of domain '{}': {}", config_.domains[domain].name, run->trouble);
    return true;
  }
  storage::BaselinePage page{.baseline = run->baseline, .latest = {}};
  for (const child::ScannedSubject& seen : answer.subjects)
    page.latest.emplace_back(seen.subject, seen.latest);
  page.baseline.token = answer.token;
  page.baseline.subjects += answer.subjects.size();
  page.baseline.done = !answer.more;
  run->page = std::move(page);
  run->next_ns = 0;
  return true;
}

void Baselines::on_source_lost(DomainIndex domain, std::int64_t now_ns) {
  for (Run& run : runs_) {
    if (run.domain != domain || !run.call) continue;
    run.call.reset();
    run.next_ns = now_ns;  // the same page again from its child's successor
  }
}

std::vector<TopologyIndex> Baselines::on_saved(std::uint64_t id, bool is_stored, std::int64_t now_ns) {
  Run* run = with_id(id);
  CAPE_CHECK(run != nullptr && run->page_out);
  run->page_out = false;
  if (!is_stored) {  // the page is kept: nothing of it is on disk
    run->next_ns = now_ns + store_retry_ns;
    return {};
  }
  run->baseline = std::move(run->page->baseline);
  run->page.reset();
  if (!run->baseline.done) return {};
  log::info("broker", "topologies {} begin behind what domain '{}' had: {} subjects",
            fmt::join(run->baseline.topologies, ", "), run->baseline.domain, run->baseline.subjects);
  std::vector<TopologyIndex> done = std::move(run->topologies);
  runs_.erase(runs_.begin() + (run - runs_.data()));
  return done;
}

Baselines::Run* Baselines::with_id(std::uint64_t id) {
  const auto at = std::ranges::find_if(runs_, [&](const Run& run) { return run.baseline.id == id; });
  return at == runs_.end() ? nullptr : &*at;
}

std::optional<std::uint64_t> Baselines::subjects_so_far(TopologyIndex topology) const {
  for (const Run& run : runs_)
    if (std::ranges::find(run.topologies, topology) != run.topologies.end()) return run.baseline.subjects;
  return std::nullopt;
}

std::string Baselines::progress_of(DomainIndex domain) const {
  for (const Run& run : runs_) {
    if (run.domain != domain) continue;
    if (!run.trouble.empty()) return run.trouble;
    if (!links_[domain].ready()) return links_[domain].trouble();
    return fmt::format("{} subjects so far", run.baseline.subjects);
  }
  return {};
}

}  // namespace cape::broker
