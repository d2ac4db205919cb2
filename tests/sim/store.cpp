// The store of the simulation: it is late, it fails, it commits and fails to say so.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

const storage::CursorInfo* Simulation::stored(SubjectId subject) const {
  const auto at = store_.find(subject);
  return at == store_.end() ? nullptr : &at->second.info;
}

std::optional<storage::CursorInfo> Simulation::loaded(SubjectId subject) const {
  const storage::CursorInfo* info = stored(subject);
  return info ? std::optional(*info) : std::nullopt;
}

// A commit may outlive the broker that asked for it, but not reach into the life of the next.
void Simulation::perform(const SaveCursor& save) {
  std::int64_t delay = some(ms / 2, 5 * ms);
  if (in_trouble() && chance(0.01)) delay = some(50 * ms, 500 * ms);
  const bool fails = in_trouble() && chance(0.06);
  const bool commits = !fails || chance(0.4);
  met_.saves_failed += !commits;
  met_.saves_unanswered += fails && commits;
  broker_at(delay, [this, save, fails, commits] {
    if (commits) commit(save);
    broker_at(some(0, 2 * ms), [this, fails, subject = save.subject, version = save.version] {
      if (fails)
        step({CursorSaveFailed{subject, version}});
      else
        tell_saved(subject, version);
    });
  });
}

void Simulation::tell_saved(SubjectId subject, std::uint64_t version) {
  Stored& stored = store_.at(subject);
  stored.is_known = stored.version == version;
  step({CursorSaved{subject, version}});
}

void Simulation::commit(const SaveCursor& save) {
  commit_audit(save);
  checkers_.on_commit(save.subject, stored(save.subject), save.info);
  const storage::CursorInfo* before = stored(save.subject);
  if (before && before->latest > save.info.latest && !lied_about_.contains(save.subject))
    violate(Promise::cursor, "the latest that is stored fell");
  store_[save.subject] = {.info = save.info, .behind = save.behind, .version = save.version};
}

// From here on the store holds what the acts of the save did.
void Simulation::commit_audit(const SaveCursor& save) {
  for (const storage::AuditEntry& entry : save.audit) {
    const auto spec = std::ranges::find(all_.topologies, entry.topology, &TopologySpec::name);
    const auto topology = static_cast<TopologyIndex>(spec - all_.topologies.begin());
    if (!save.sync) violate(Promise::acts, "an act is saved without a sync");
    if (entry.act != "skip" && entry.act != "rewind") continue;
    const auto named = [&](const storage::CursorInfo& info) {
      return std::ranges::find(info.topologies, entry.topology, &storage::TopologyCursor::topology);
    };
    const storage::TopologyCursor& to = *named(save.info);
    if (entry.act == "skip") {
      checkers_.on_skip(topology, save.subject, entry.to, to);
      continue;
    }
    checkers_.on_rewind(topology, save.subject, to);
    const auto before = store_.find(save.subject);
    if (before == store_.end()) continue;
    const auto old = named(before->second.info);
    if (old == before->second.info.topologies.end()) continue;
    auto& lambdas =
        before->second.info.topologies[static_cast<std::size_t>(old - before->second.info.topologies.begin())]
            .lambdas;
    for (std::size_t i = 0; i < lambdas.size(); ++i)
      lambdas[i].cursor = std::min(lambdas[i].cursor, to.lambdas[i].cursor);  // it may fall
  }
}

}  // namespace cape::scheduler
