// What the simulated store holds, and how the broker hears of it.
#include <algorithm>
#include <span>
#include <utility>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

const storage::CursorInfo* Simulation::stored(SubjectId subject) const {
  const auto at = store_.find(subject);
  return at == store_.end() ? nullptr : &at->second.info;
}

const storage::CursorInfo* Simulation::loaded(SubjectId subject) const {
  const storage::CursorInfo* info = stored(subject);
  bool has_starts = false;
  for (const auto& [topology, baseline] : baselines_) {
    const std::string& name = all_.topologies[topology].name;
    const auto start = baseline.latest.find(subject);
    const bool has_record =
        info && std::ranges::find(info->topologies, name, &storage::TopologyCursor::topology) !=
                    info->topologies.end();
    if (has_record || start == baseline.latest.end()) continue;
    if (!std::exchange(has_starts, true)) with_starts_ = info ? *info : storage::CursorInfo();
    with_starts_.starts.push_back({name, start->second});
  }
  return has_starts ? &with_starts_ : info;
}

// As broker/subjects gives it.
std::optional<storage::CursorInfo> Simulation::record_for_step(SubjectId subject) const {
  if (broker_->scheduler.holds(subject) && !broker_->scheduler.needs_start(subject)) return {};
  const storage::CursorInfo* info = loaded(subject);
  return info ? std::optional(*info) : std::nullopt;
}

void Simulation::perform(const SaveCursor& save) {
  if (!save.audit.empty() && !save.sync) violate(Promise::acts, "an act is saved without a sync");
  broker_->saver.save(save, fate_.now_ns());
}

void Simulation::take_saves() {
  broker::Saver::Done done = broker_->saver.poll(fate_.now_ns());
  for (const Input& input : done.saved) {
    const auto* saved = std::get_if<CursorSaved>(&input);
    const auto at = saved ? store_.find(saved->subject) : store_.end();
    if (at != store_.end()) at->second.is_known = true;  // one save of a subject is out at a time
  }
  for (const storage::HostLease& lease : done.leases)
    broker_->hosts.on_lease_saved(lease, fate_.now_ns(), done.saved);
  for (std::uint64_t ack : done.acknowledged) on_acknowledged(ack);
  for (const auto& [id, is_stored] : done.replays)
    broker_->replays.on_saved(id, is_stored, fate_.now_ns(), done.saved);
  broker_->replays.take_stored();
  step(std::move(done.saved));
}

void Simulation::commit(const storage::WriteBatch& batch) {
  commit_leases(batch);
  for (const storage::CursorWrite& write : batch.cursors) commit(write, batch.audit);
  for (const storage::ReplayPage& page : batch.replays) commit_replay(page);
  commit_inbox(batch);
}

void Simulation::commit_leases(const storage::WriteBatch& batch) {
  for (const storage::HostLease& lease : batch.leases) leases_[lease.host] = lease;
  for (const std::string& host : batch.leases_removed) leases_.erase(host);
}

void Simulation::commit(const storage::CursorWrite& write, const std::vector<storage::AuditEntry>& audit) {
  for (std::size_t i = 0; i < audit.size(); ++i)
    if (audit[i].domain == write.domain && audit[i].subject == write.subject)
      commit_act(audit[i], std::span(audit).subspan(i + 1), write);
  const storage::CursorInfo* before = stored(write.id);
  if (is_shadow(write.id) && !before)
    return violate(Promise::cursor,
                   fmt::format("{} has no record in {} any more, and is saved", write.subject, write.domain));
  checkers_.on_commit(subject_of(write.id), before, write.info);
  if (before && before->latest > write.info.latest && !lied_about_.contains(write.id) && !is_shadow(write.id))
    violate(Promise::cursor, "the latest that is stored fell");
  store_[write.id] = {.info = write.info, .behind = write.behind};
}

// From here on the store holds what the act did, and those that came after it.
void Simulation::commit_act(const storage::AuditEntry& entry, std::span<const storage::AuditEntry> later,
                            const storage::CursorWrite& write) {
  if (entry.act != "skip" && entry.act != "rewind") return;
  const auto spec = std::ranges::find(all_.topologies, entry.topology, &TopologySpec::name);
  const auto topology = static_cast<TopologyIndex>(spec - all_.topologies.begin());
  const storage::TopologyCursor& to =
      *std::ranges::find(write.info.topologies, entry.topology, &storage::TopologyCursor::topology);
  const bool is_rewound = std::ranges::any_of(later, [&](const storage::AuditEntry& act) {
    return act.act == "rewind" && act.domain == entry.domain && act.subject == entry.subject &&
           act.topology == entry.topology;
  });
  storage::TopologyCursor* old = nullptr;
  if (const auto before = store_.find(write.id); before != store_.end())
    for (storage::TopologyCursor& stored : before->second.info.topologies)
      if (stored.topology == entry.topology) old = &stored;
  const SubjectId subject = subject_of(write.id);
  if (entry.act == "skip") return checkers_.on_skip(topology, subject, entry.to, old, to, is_rewound);
  checkers_.on_rewind(topology, subject, to);
  if (old == nullptr) return;
  for (std::size_t i = 0; i < old->lambdas.size(); ++i)
    old->lambdas[i].cursor = std::min(old->lambdas[i].cursor, to.lambdas[i].cursor);  // it may fall
}

}  // namespace cape::scheduler
