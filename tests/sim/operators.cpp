// The operators of the simulation.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Simulation::operate() {
  if (!in_trouble()) return;
  at(some(5 * ms, 60 * ms), [this] { operate(); });
  if (operate_replays()) return;
  const TopologyIndex topology = life_.live()[fate_.below(life_.live().size())];
  if (chance(0.05)) return pause_whole(topology, !paused_whole_.contains(topology));
  const SubjectId subject = 1 + fate_.below(source_.subjects());
  const std::vector<SourceEvent>& events = source_.events(subject);
  const Sequence sequence = events.empty() ? 1 : events[fate_.below(events.size())].sequence;
  constexpr Act acts[] = {Act::pause, Act::resume, Act::park, Act::redrive, Act::skip, Act::rewind};
  const Act act = acts[fate_.below(std::size(acts))];
  if (act == Act::rewind && !checkers_.knows_start(topology)) return;  // it may not go below it
  command(act, topology, subject,
          act == Act::rewind ? std::max(sequence, checkers_.start_of(topology, subject)) : 0);
}

void Simulation::command(Act act, TopologyIndex topology, SubjectId subject, Sequence sequence) {
  Command command{.id = ++last_command_,
                  .act = act,
                  .topology = topology,
                  .subject = subject,
                  .domain = domain_of(subject),
                  .name = subject_name(subject_of(subject)),
                  .stored = record_for_step(subject),
                  .sequence = sequence,
                  .reason = "why"};
  commands_.emplace(command.id, command);
  Held& held = held_[{topology, subject}];
  if (act == Act::resume) held.paused = false;
  if (act == Act::redrive || act == Act::rewind) held.parked = false;
  if (act == Act::rewind) went_back_.erase({topology, subject});
  command.topology = life_.topology_here[topology];
  step({std::move(command)});
}

void Simulation::pause_whole(TopologyIndex topology, bool paused) {
  if (paused)
    paused_whole_.insert(topology);
  else
    paused_whole_.erase(topology);
  if (!config_.known[topology]) return;
  step({PauseTopology{.topology = life_.topology_here[topology], .paused = paused, .reason = "why"}});
}

TopologyView Simulation::view_of(TopologyIndex topology, SubjectId subject) const {
  const TopologyIndex here = life_.topology_here[topology];
  const SubjectView view = broker_->scheduler.view(subject, 0, loaded(subject));
  return *std::ranges::find(view.topologies, here, &TopologyView::topology);
}

// Every subject may go on, once all of these are done.
void Simulation::end_all_acts() {
  for (TopologyIndex topology : std::set(paused_whole_)) pause_whole(topology, false);
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (TopologyIndex topology : life_.live()) {
      const TopologyView view = view_of(topology, subject);
      // Whichever of its lambdas the source stopped: the view tells the trouble of one.
      if (lied_about_.contains(subject) && view.state == SubjectState::parked)
        command(Act::rewind, topology, subject, std::max(view.cursor, checkers_.start_of(topology, subject)));
      if (options_.park_after && view.state == SubjectState::parked)
        command(Act::redrive, topology, subject, 0);
      if (!options_.operators) continue;
      command(Act::resume, topology, subject, 0);
      command(Act::redrive, topology, subject, 0);
    }
}

void Simulation::perform(const CommandDone& done) {
  const auto at = commands_.find(done.id);
  if (at == commands_.end())
    return violate(Promise::acts, fmt::format("command {} is told to be done twice", done.id));
  const Command asked = at->second;
  commands_.erase(at);
  note(fmt::format("command {}: {} of subject {} in {}: {}", done.id, name_of(asked.act), asked.subject,
                   all_.topologies[asked.topology].name, done.refusal.empty() ? "done" : done.refusal));
  if (!done.refusal.empty()) return;
  ++met_.acts_done;
  const bool asked_since = std::ranges::any_of(commands_, [&](const auto& entry) {
    return entry.second.topology == asked.topology && entry.second.subject == asked.subject;
  });
  if (asked_since) return;  // what holds now is not for us to say
  Held& held = held_[{asked.topology, asked.subject}];
  held.paused |= asked.act == Act::pause;
  held.parked |= asked.act == Act::park;
}

}  // namespace cape::scheduler
