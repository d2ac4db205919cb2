#include "broker/saver.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/clock.hpp"

namespace cape::broker {
namespace {

// How long a cursor may wait for company: a commit costs far more than a row.
constexpr std::int64_t gather_ns = 4 * ns_per_ms;
constexpr std::int64_t retry_ns = 200 * ns_per_ms;

}  // namespace

Saver::Saver(const Config& config, storage::CursorStore& store) : config_(config), store_(store) {}

void Saver::save(scheduler::SaveCursor save, std::int64_t now_ns) {
  const std::string& domain = config_.domains[save.domain].name;
  if (save.inbox_generation > 0)
    pending_.inbox_clears.push_back(
        {.domain = domain, .subject = save.name, .generation = save.inbox_generation});
  for (storage::AuditEntry& entry : save.audit) {
    entry.domain = domain;
    pending_.audit.push_back(std::move(entry));
  }
  if (save.sync) sync_asked_ = true;
  pending_rows_.push_back({save.subject, save.version});
  pending_.cursors.push_back({.id = save.subject,
                              .domain = domain,
                              .subject = std::move(save.name),
                              .behind = save.behind && !config_.domains[save.domain].shadow_of,
                              .info = std::move(save.info)});
  due_ns_ = std::min(due_ns_, now_ns + gather_ns);
}

void Saver::put_inbox(storage::InboxRow row, AckId ack) {
  pending_.inbox.push_back(std::move(row));
  pending_acks_.push_back(ack);
}

void Saver::clear_inbox(storage::InboxClear clear, std::int64_t now_ns) {
  pending_clears_.push_back(clear);
  pending_.inbox_clears.push_back(std::move(clear));
  due_ns_ = std::min(due_ns_, now_ns + gather_ns);
}

// A group writes leases before it removes any, so of one host only the last word stays.
void Saver::put_lease(storage::HostLease lease) {
  std::erase(pending_.leases_removed, lease.host);
  pending_.leases.push_back(std::move(lease));
}

void Saver::remove_lease(std::string host) {
  std::erase_if(pending_.leases, [&](const storage::HostLease& lease) { return lease.host == host; });
  pending_.leases_removed.push_back(std::move(host));
  sync_asked_ = true;
}

void Saver::put_pause(storage::PausedTopology topology, storage::AuditEntry audit, std::uint64_t token) {
  pending_.paused_topologies.push_back(std::move(topology));
  pending_.audit.push_back(std::move(audit));
  pending_pauses_.push_back(token);
}

void Saver::put_baseline(storage::BaselinePage page) {
  pending_baselines_.push_back(page.baseline.id);
  pending_.baselines.push_back(std::move(page));
}

void Saver::put_replay(storage::ReplayPage page) {
  pending_replays_.push_back(page.replay.id);
  pending_.replays.push_back(std::move(page));
}

void Saver::put_pin(storage::PinWrite write, storage::AuditEntry audit, std::uint64_t token) {
  pending_pins_.push_back(token);
  pending_.pins.push_back(std::move(write));
  pending_.audit.push_back(std::move(audit));
}

void Saver::put_canary(storage::Canary canary, std::vector<storage::AuditEntry> audit, std::uint64_t token) {
  pending_canaries_.push_back(token);
  pending_.canaries.push_back(std::move(canary));
  std::ranges::move(audit, std::back_inserter(pending_.audit));
}

// One that is lost is proven again.
void Saver::put_coverage(std::vector<storage::CoverageRow> rows, std::int64_t now_ns) {
  if (rows.empty()) return;
  std::ranges::move(rows, std::back_inserter(pending_.coverage));
  due_ns_ = std::min(due_ns_, now_ns + gather_ns);
}

void Saver::sync() {
  sync_asked_ = true;
}

void Saver::flush(std::int64_t now_ns) {
  if (groups_.size() >= groups_out_max) return;  // the next one grows meanwhile
  const bool due = urgent() || now_ns >= due_ns_ || pending_.cursors.size() >= rows_per_group;
  if (!due || (pending_.empty() && !sync_asked_)) return;
  pending_.sync = urgent();
  Group group{.ticket = 0,
              .rows = std::exchange(pending_rows_, {}),
              .acks = std::exchange(pending_acks_, {}),
              .pauses = std::exchange(pending_pauses_, {}),
              .baselines = std::exchange(pending_baselines_, {}),
              .replays = std::exchange(pending_replays_, {}),
              .pins = std::exchange(pending_pins_, {}),
              .canaries = std::exchange(pending_canaries_, {}),
              .leases = pending_.leases,
              .clears = std::exchange(pending_clears_, {})};
  group.ticket = store_.submit(std::exchange(pending_, {}));
  groups_.push_back(std::move(group));
  sync_asked_ = false;
  due_ns_ = INT64_MAX;
  ++commits_;
}

std::optional<std::int64_t> Saver::next_deadline() const {
  if (groups_.size() >= groups_out_max) return std::nullopt;  // the store wakes us
  if (urgent()) return 0;
  if (due_ns_ == INT64_MAX) return std::nullopt;
  return due_ns_;
}

Saver::Done Saver::poll(std::int64_t now_ns) {
  Done done;
  for (storage::CommitDone& commit : store_.poll()) {
    CAPE_CHECK(!groups_.empty() && groups_.front().ticket == commit.ticket);
    Group group = std::move(groups_.front());
    groups_.pop_front();
    const bool ok = commit.result.has_value();
    for (const SavedRow& row : group.rows) {
      if (ok)
        done.saved.push_back(scheduler::CursorSaved{row.subject, row.version});
      else
        done.saved.push_back(scheduler::CursorSaveFailed{row.subject, row.version});
    }
    auto& acks = ok ? done.acknowledged : done.refused;
    acks.insert(acks.end(), group.acks.begin(), group.acks.end());
    done.pauses.insert(done.pauses.end(), group.pauses.begin(), group.pauses.end());
    for (std::uint64_t id : group.baselines) done.baselines.push_back({id, ok});
    for (std::uint64_t id : group.replays) done.replays.push_back({id, ok});
    for (std::uint64_t id : group.pins) done.pins.push_back({id, ok});
    for (std::uint64_t id : group.canaries) done.canaries.push_back({id, ok});
    done.pauses_failed |= !ok && !group.pauses.empty();
    if (ok) {
      for (storage::HostLease& lease : group.leases) done.leases.push_back(std::move(lease));
      continue;
    }
    done.error = std::move(commit.result.error());
    done.broken |= commit.broken;
    // Cursors are asked for again by the scheduler, with the pings that end with them, which must not go
    // before them; and pings by their sender. These would be forgotten.
    for (storage::HostLease& lease : group.leases) pending_.leases.push_back(std::move(lease));
    for (storage::InboxClear& clear : group.clears) clear_inbox(std::move(clear), now_ns);
    // What is due without anything to store would wake the loop again and again.
    if (!pending_.empty()) due_ns_ = now_ns + retry_ns;
  }
  return done;
}

}  // namespace cape::broker
