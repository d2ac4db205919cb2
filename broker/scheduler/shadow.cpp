// Shadows, in which replays run. To the scheduler they are topologies like any other, whose subjects have
// records of their own; what it must know besides is how one ends.
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {

void Scheduler::State::apply(const EndShadow& input) {
  CAPE_CHECK(input.topology < plan.topologies.size() && plan.topologies[input.topology].shadow);
  topology_pauses[input.topology] = {.paused = true, .reason = "the replay ends"};
  const DomainIndex domain = plan.topologies[input.topology].domain;
  subjects.for_each([&](Subject& s) {
    if (s.domain != domain) return;
    for (const TopologyPlace& place : layout_of(s).topologies) fence(s, place);
    for (Lane& lane : s.lanes)
      for (std::size_t i = 0; i < lane.size(); ++i) clear_timer(lane, lane[i]);
    // Its source may take for ever. An answer that comes after all finds the subject gone, or serves nothing.
    s.ping_out = s.more_answers = false;
    touch(s);
  });
}

// What is live stays behind, and the next walk asks again. A replay has to end: there is nothing to run.
void Scheduler::State::forget_latest(Subject& s) {
  for (const TopologyPlace& place : layout_of(s).topologies) {
    if (!plan.topologies[place.topology].shadow) return;
    s.latest = std::min(s.latest, cursor_of(s, place));
  }
  s.dirty = true;
}

std::size_t Scheduler::subjects_of(DomainIndex domain) const {
  std::size_t count = 0;
  state_->subjects.for_each([&](const Subject& s) { count += s.domain == domain; });
  return count;
}

}  // namespace cape::scheduler
