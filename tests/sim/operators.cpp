// The operators of the simulation.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Simulation::operate() {
  if (!in_trouble()) return;
  at(some(5 * ms, 60 * ms), [this] { operate(); });
  if (source_.empty()) return;
  const auto topology = static_cast<TopologyIndex>(random_() % plan_.topologies.size());
  if (chance(0.05)) return pause_whole(topology, !paused_whole_.contains(topology));
  const SubjectId subject =
      std::next(source_.begin(), static_cast<std::ptrdiff_t>(random_() % source_.size()))->first;
  const std::vector<Sequence>& events = source_[subject];
  const Sequence sequence = events.empty() ? 1 : events[random_() % events.size()];
  constexpr Act acts[] = {Act::pause, Act::resume, Act::park, Act::redrive, Act::skip, Act::rewind};
  const Act act = acts[random_() % std::size(acts)];
  command(act, topology, subject,
          act == Act::rewind ? std::max(sequence, plan_.topologies[topology].start) : 0);
}

void Simulation::command(Act act, TopologyIndex topology, SubjectId subject, Sequence sequence) {
  const auto stored = store_.find(subject);
  const Command command{.id = ++last_command_,
                        .act = act,
                        .topology = topology,
                        .subject = subject,
                        .domain = 0,
                        .name = fmt::format("s{}", subject),
                        .stored = stored == store_.end() ? std::nullopt : std::optional(stored->second.info),
                        .sequence = sequence,
                        .reason = "why"};
  commands_.emplace(command.id, command);
  Held& held = held_[{topology, subject}];
  if (act == Act::resume) held.paused = false;
  if (act == Act::redrive || act == Act::rewind) held.parked = false;
  step({command});
}

void Simulation::pause_whole(TopologyIndex topology, bool paused) {
  if (paused)
    paused_whole_.insert(topology);
  else
    paused_whole_.erase(topology);
  step({PauseTopology{.topology = topology, .paused = paused, .reason = "why"}});
}

// Every subject may go on, once all of these are done.
void Simulation::end_all_acts() {
  for (TopologyIndex topology : std::set(paused_whole_)) pause_whole(topology, false);
  for (const auto& [subject, events] : source_)
    for (TopologyIndex topology = 0; topology < plan_.topologies.size(); ++topology) {
      command(Act::resume, topology, subject, 0);
      command(Act::redrive, topology, subject, 0);
    }
}

void Simulation::perform(const CancelJob& cancel) {
  cancelled_.insert(cancel.job);
}

void Simulation::perform(const CommandDone& done) {
  const auto at = commands_.find(done.id);
  if (at == commands_.end()) return violate(fmt::format("command {} is told to be done twice", done.id));
  const Command asked = at->second;
  commands_.erase(at);
  if (!done.refusal.empty()) return;
  ++acts_done_;
  const bool asked_since = std::ranges::any_of(commands_, [&](const auto& entry) {
    return entry.second.topology == asked.topology && entry.second.subject == asked.subject;
  });
  if (asked_since) return;  // what holds now is not for us to say
  Held& held = held_[{asked.topology, asked.subject}];
  held.paused |= asked.act == Act::pause;
  held.parked |= asked.act == Act::park;
}

// From here on the store holds what the acts of the save did.
void Simulation::commit_audit(const SaveCursor& save) {
  for (const storage::AuditEntry& entry : save.audit) {
    const auto spec = std::ranges::find(plan_.topologies, entry.topology, &TopologySpec::name);
    const auto topology = static_cast<TopologyIndex>(spec - plan_.topologies.begin());
    if (entry.act == "skip") {
      skipped_.insert({topology, {save.subject, entry.to}});
      skipped_ever_.insert({topology, {save.subject, entry.to}});
      for (std::uint32_t l = 0; l < spec->lambda_count; ++l)
        logs_[{spec->first_lambda + l, save.subject}].succeeded.insert(entry.to);
    }
    if (entry.act != "rewind") continue;
    for (std::uint32_t l = 0; l < spec->lambda_count; ++l) {
      const Sequence cursor = save.info.topologies[topology].lambdas[l].cursor;
      std::erase_if(logs_[{spec->first_lambda + l, save.subject}].succeeded,
                    [cursor](Sequence sequence) { return sequence > cursor; });
      std::erase_if(skipped_, [&](const auto& skipped) {
        return skipped.first == topology && skipped.second.first == save.subject &&
               skipped.second.second > cursor;
      });
      const auto before = store_.find(save.subject);
      if (before == store_.end()) continue;
      Sequence& stored = before->second.info.topologies[topology].lambdas[l].cursor;
      stored = std::min(stored, cursor);  // it may fall
    }
  }
}

}  // namespace cape::scheduler
