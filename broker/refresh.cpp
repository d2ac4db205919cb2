#include "broker/refresh.hpp"

#include <algorithm>

#include "broker/late_looks.hpp"
#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

constexpr std::uint32_t page_max = 10'000;  // subjects of one scan call
constexpr std::size_t behind_page = 512;
constexpr std::size_t findings_max = 20;

}  // namespace

Refresh::Refresh(const Config& config, const scheduler::Scheduler& scheduler, Subjects& subjects,
                 storage::CursorStore& store, std::vector<SourceLink>& links, tracker::Tracker& tracker,
                 Coverage& coverage)
    : config_(config),
      scheduler_(scheduler),
      subjects_(subjects),
      store_(store),
      links_(links),
      tracker_(tracker),
      coverage_(coverage),
      walks_(live_domains(config)) {}

// A page a second per domain keeps the rate; many small domains take turns so that rest stays rest.
std::int64_t Refresh::pause_ns() const {
  if (hurry_) return 0;
  return std::max<std::int64_t>(ns_per_s, static_cast<std::int64_t>(walks_.size()) * 250 * ns_per_ms);
}

void Refresh::step(Now now) {
  step_behind(now.boot_ns);
  if (!config_.refresh.enabled && !hurry_) return;
  for (DomainIndex domain = 0; domain < walks_.size(); ++domain) step_walk(domain, now);
}

std::optional<std::int64_t> Refresh::next_deadline() const {
  if (!config_.refresh.enabled && !hurry_) return std::nullopt;
  std::optional<std::int64_t> next;
  for (DomainIndex domain = 0; domain < walks_.size(); ++domain) {
    const Walk& walk = walks_[domain];
    if (walk.call || !links_[domain].ready() || (hurry_ && walk.whole) || !tracker_.has_room()) continue;
    next = next ? std::min(*next, walk.next_ns) : walk.next_ns;
  }
  return next;
}

void Refresh::step_walk(DomainIndex domain, Now now) {
  Walk& walk = walks_[domain];
  const std::int64_t now_ns = now.boot_ns;
  if (walk.call || now_ns < walk.next_ns || !links_[domain].ready() || (hurry_ && walk.whole)) return;
  if (!tracker_.has_room()) return;
  const std::uint32_t rate = hurry_ ? page_max : config_.refresh.subjects_per_s;
  if (walk.token.empty()) {
    walk.began = true;
    walk.looks = !hurry_;
    walk.wall_ns = now.wall_ns;
    if (walk.looked_wall_ns == 0) walk.looked_wall_ns = coverage_.proven_wall_ns(domain);
    coverage_.begin_walk(domain, now);
  }
  walk.call = links_[domain].child().scan(walk.token, std::clamp(rate, 1u, page_max));
  if (!walk.call) walk.next_ns = now_ns + 10 * ns_per_ms;  // the ring is full of queries: they go first
}

void Refresh::on_scan(DomainIndex domain, child::ScanAnswer answer, Now now) {
  Walk& walk = walks_[domain];
  const std::int64_t now_ns = now.boot_ns;
  if (!walk.call || *walk.call != answer.call) return;
  walk.call.reset();
  walk.next_ns = now_ns + pause_ns();
  if (answer.status != OutcomeKind::ok) {
    walk.next_ns = now_ns + ns_per_s;
    log::warning("broker", "refresh: the source of domain '{}' could not scan: {} {}", config_.domains[domain].name,
                 name_of(answer.status), answer.reason);
    return;
  }
  subjects_seen_ += answer.subjects.size();
  if (!answer.subjects.empty()) {
    auto stored = store_.range(config_.domains[domain].name, walk.token, answer.subjects.back().subject, SIZE_MAX);
    if (!stored) {
      log::error("broker", "refresh: {}", stored.error().message);
      walk.next_ns = now_ns + ns_per_s;
      return;
    }
    auto at = stored->begin();
    for (const child::ScannedSubject& seen : answer.subjects) {
      while (at != stored->end() && at->subject < seen.subject) ++at;
      const bool known = at != stored->end() && at->subject == seen.subject;
      coverage_.see(domain, seen.subject, seen.latest, known ? &at->info : nullptr);
      note(domain, seen, standing(domain, seen, known ? &*at : nullptr), now_ns);
      if (known && walk.looks) look_for_late(domain, *at, now_ns);
    }
  }
  walk.token = std::move(answer.token);
  if (answer.more) return;
  walk.token.clear();
  if (walk.looks) walk.looked_wall_ns = walk.wall_ns;
  walk.whole = walk.began;
  coverage_.end_walk(domain, now);
  sweep_.complete = hurry_ && std::ranges::all_of(walks_, [](const Walk& w) { return w.whole; });
}

void Refresh::look_for_late(DomainIndex domain, const storage::StoredSubject& stored, std::int64_t now_ns) {
  const storage::GivenWindow& given = stored.info.given;
  const Walk& walk = walks_[domain];
  if (given.empty() || !late_look_is_due(given.given_wall_s, walk.looked_wall_ns, walk.wall_ns)) return;
  ++looks_;
  tracker_.ping({.domain = domain, .subject = stored.subject, .ping_ns = now_ns, .look = {given.from, given.to}});
}

Refresh::Standing Refresh::standing(DomainIndex domain, const child::ScannedSubject& seen,
                                    const storage::StoredSubject* stored) {
  const SubjectId id = stored && stored->id != 0 ? stored->id : subjects_.named(domain, seen.subject);
  const scheduler::SubjectView view = scheduler_.view(id, domain, stored ? &stored->info : nullptr);
  bool behind = false, stopped = true;
  for (const scheduler::TopologyView& topology : view.topologies) {
    if (topology.unplaced) continue;  // a baseline is on its way
    // Above what was ever told of it a cursor stands by a start position alone.
    const bool went_back = topology.cursor > seen.latest && topology.cursor <= view.latest;
    if (topology.cursor >= seen.latest && !went_back) continue;
    behind = true;
    stopped = stopped && topology.stopped;
  }
  if (!behind) return Standing::up_to_date;
  return stopped ? Standing::stopped : Standing::behind;
}

void Refresh::note(DomainIndex domain, const child::ScannedSubject& seen, Standing standing, std::int64_t now_ns) {
  if (standing == Standing::up_to_date) return;
  const bool is_stopped = standing == Standing::stopped;
  ++(is_stopped ? sweep_.stopped : sweep_.behind);
  if (sweep_.first.size() < findings_max) sweep_.first.push_back({seen.subject, domain, is_stopped});
  if (is_stopped) return;
  ++pings_;
  tracker_.ping({.domain = domain, .subject = seen.subject, .ping_ns = now_ns});
}

void Refresh::on_source_lost(DomainIndex domain, std::int64_t now_ns) {
  Walk& walk = walks_[domain];
  walk.call.reset();
  walk.next_ns = now_ns;  // the same page again from its child's successor
}

void Refresh::walk_behind() {
  walking_behind_ = true;
  behind_token_ = 0;
}

void Refresh::step_behind(std::int64_t now_ns) {
  while (walking_behind_ && tracker_.has_room()) {
    auto page = store_.behind(behind_token_, behind_page);
    if (!page) {
      log::error("broker", "reading the subjects that are behind: {}", page.error().message);
      walking_behind_ = false;  // the refresh walk finds them too
      return;
    }
    for (const storage::StoredSubject& row : *page) {
      behind_token_ = row.id;
      auto domain = std::ranges::find(config_.domains, row.domain, &DomainConfig::name);
      if (domain == config_.domains.end()) continue;  // left the config; its record stays
      const auto index = static_cast<DomainIndex>(domain - config_.domains.begin());
      tracker_.ping({.domain = index, .subject = row.subject, .ping_ns = now_ns});
    }
    if (page->size() < behind_page) walking_behind_ = false;
  }
}

void Refresh::start_at_once() {
  hurry_ = true;
  sweep_ = {};
  for (DomainIndex domain = 0; domain < walks_.size(); ++domain) coverage_.abandon_walk(domain);
  for (Walk& walk : walks_) {
    walk.token.clear();
    walk.call.reset();
    walk.next_ns = 0;
    walk.whole = walk.began = false;
  }
}

}  // namespace cape::broker
