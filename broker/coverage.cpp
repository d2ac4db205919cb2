#include "broker/coverage.hpp"

#include <algorithm>
#include <utility>

#include "core/log.hpp"

namespace cape::broker {
namespace {

constexpr std::int64_t look_every_ns = 200 * ns_per_ms;
constexpr std::size_t looks_max = 64;  // at a time, of a topology: each reads a record

}  // namespace

Coverage::Coverage(const Config& config, storage::CursorStore& store)
    : config_(config),
      store_(store),
      walking_(config.domains.size()),
      topologies_(config.topologies.size()) {}

void Coverage::begin_walk(DomainIndex domain, Now now) {
  walking_[domain] = true;
  wall_ns_ = now.wall_ns;
  load_paused();
  for (TopologyIndex i = 0; i < topologies_.size(); ++i) {
    if (config_.topologies[i].domain != domain) continue;
    topologies_[i].walk = {.row = {.domain = config_.domains[domain].name,
                                   .topology = config_.topologies[i].name,
                                   .proven_wall_ns = now.wall_ns},
                           .pending = {},
                           .unseen = {}};
    if (!topologies_[i].proof) continue;
    Proof& proof = *topologies_[i].proof;
    proof.unseen.clear();
    for (const Pending& pending : proof.pending) proof.unseen.insert(pending.subject);
  }
}

void Coverage::see(DomainIndex domain, const std::string& subject, Sequence latest,
                   const storage::CursorInfo* stored) {
  if (!walking_[domain]) return;
  for (TopologyIndex i = 0; i < topologies_.size(); ++i)
    if (config_.topologies[i].domain == domain) see(i, subject, latest, stored ? *stored : nothing_);
}

void Coverage::see(TopologyIndex topology, const std::string& subject, Sequence latest,
                   const storage::CursorInfo& info) {
  Proof& walk = topologies_[topology].walk;
  ++walk.row.subjects;
  if (topologies_[topology].proof) topologies_[topology].proof->unseen.erase(subject);
  if (const auto exception = exception_of(config_, topology, info, latest, paused_, wall_ns_)) {
    ++walk.row.exceptions;
    walk.row.stuck += exception->stuck;
    return;
  }
  if (stored_cursor(config_.topologies[topology], info) >= latest) return;
  if (walk.pending.size() < pending_max)
    walk.pending.push_back({subject, latest});
  else
    walk.overflown = true;
}

// One that is still pending stays: it began earlier, and each of its subjects comes, or becomes an exception.
// A walk that left nothing behind says more.
void Coverage::end_walk(DomainIndex domain, Now now) {
  if (!walking_[domain]) return;
  walking_[domain] = false;
  for (TopologyIndex i = 0; i < topologies_.size(); ++i) {
    Topology& at = topologies_[i];
    if (config_.topologies[i].domain != domain || at.walk.overflown) continue;
    if (at.proof && !at.walk.pending.empty())
      drop_gone(*at.proof);
    else
      at.proof = std::exchange(at.walk, {});
    if (at.proof->pending.empty()) finish(i);
  }
  next_ns_ = std::min(next_ns_, now.boot_ns + look_every_ns);
}

// A whole walk did not find them at their source any more.
void Coverage::drop_gone(Proof& proof) {
  std::erase_if(proof.pending,
                [&](const Pending& pending) { return proof.unseen.contains(pending.subject); });
}

void Coverage::abandon_walk(DomainIndex domain) {
  walking_[domain] = false;
}

void Coverage::step(Now now) {
  if (!next_deadline() || now.boot_ns < next_ns_) return;
  next_ns_ = now.boot_ns + look_every_ns;
  wall_ns_ = now.wall_ns;
  load_paused();
  for (TopologyIndex i = 0; i < topologies_.size(); ++i) {
    if (!topologies_[i].proof) continue;
    look_again(i, *topologies_[i].proof, looks_max, now);
    if (topologies_[i].proof->pending.empty()) finish(i);
  }
}

void Coverage::look_again(TopologyIndex topology, Proof& proof, std::size_t most, Now now) {
  const std::string& domain = proof.row.domain;
  for (most = std::min(most, proof.pending.size()); most > 0; --most) {
    Pending next = std::move(proof.pending.front());
    proof.pending.pop_front();
    const auto stored = store_.load(domain, next.subject);
    if (stored && *stored) {
      const storage::CursorInfo& info = (*stored)->info;
      if (const auto exception = exception_of(config_, topology, info, next.latest, paused_, now.wall_ns)) {
        ++proof.row.exceptions;
        proof.row.stuck += exception->stuck;
        continue;
      }
      if (stored_cursor(config_.topologies[topology], info) >= next.latest) continue;
    }
    proof.pending.push_back(std::move(next));
  }
}

std::optional<std::int64_t> Coverage::next_deadline() const {
  const bool waits =
      std::ranges::any_of(topologies_, [](const Topology& at) { return at.proof.has_value(); });
  return waits ? std::optional(next_ns_) : std::nullopt;
}

void Coverage::finish(TopologyIndex topology) {
  storage::CoverageRow row = std::move(topologies_[topology].proof->row);
  topologies_[topology].proof.reset();
  const auto at = std::ranges::find_if(rows_, [&](const storage::CoverageRow& r) {
    return r.domain == row.domain && r.topology == row.topology;
  });
  if (at == rows_.end())
    rows_.push_back(std::move(row));
  else
    *at = std::move(row);
}

void Coverage::open(std::vector<storage::CoverageRow> stored) {
  rows_ = std::move(stored);
  for (const storage::CoverageRow& row : rows_) kept_.push_back({.row = row, .next_ns = 0});
}

std::int64_t Coverage::proven_wall_ns(DomainIndex domain) const {
  std::int64_t last = 0;
  for (const storage::CoverageRow& row : rows_)
    if (row.domain == config_.domains[domain].name) last = std::max(last, row.proven_wall_ns);
  return last;
}

std::vector<storage::CoverageRow> Coverage::take_rows(std::int64_t now_ns) {
  kept_.resize(rows_.size());
  std::vector<storage::CoverageRow> changed;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Kept& kept = kept_[i];
    const storage::CoverageRow& row = rows_[i];
    const bool counts_differ = kept.row.subjects != row.subjects || kept.row.exceptions != row.exceptions ||
                               kept.row.stuck != row.stuck;
    if (row == kept.row || (!counts_differ && now_ns < kept.next_ns)) continue;
    kept = {.row = row, .next_ns = now_ns < INT64_MAX ? now_ns + store_after_ns : now_ns};
    changed.push_back(row);
  }
  return changed;
}

void Coverage::load_paused() {
  auto rows = store_.paused_topologies();
  if (rows)
    paused_ = by_name(*rows);
  else
    log::error("broker", "coverage: {}", rows.error().message);
}

}  // namespace cape::broker
