// Where topologies begin whose start is "latest". While the scan runs that fixes it, nothing of them is
// issued. A subject that the scan has not come to has no cursor in them: its lanes are unplaced, and its
// record is saved as behind without them. When the scan is done they are placed by what it stored.
#include "broker/scheduler/record.hpp"
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {

void Scheduler::State::apply(const BaselineDone& input) {
  CAPE_CHECK(input.topology < baseline_runs.size());
  if (!baseline_runs[input.topology]) return;
  baseline_runs[input.topology] = false;
  // What is in memory is read with what is stored of it; what left memory behind meanwhile is pinged.
  subjects.for_each([&](Subject& s) { touch(s); });
  actions.push_back(WalkBehind{});
}

bool Scheduler::State::needs_start(const Subject& s) const {
  return std::ranges::any_of(s.lanes, [&](const Lane& lane) {
    return lane.unplaced && !baseline_runs[plan.lambdas[lane.lambda].topology];
  });
}

void Scheduler::State::place_late(Subject& s, const storage::CursorInfo* stored) {
  for (Lane& lane : s.lanes) {
    const TopologySpec& spec = spec_of(lane);
    if (!lane.unplaced || baseline_runs[plan.lambdas[lane.lambda].topology]) continue;
    lane.unplaced = false;
    lane.open.cursor = lane.saved_cursor = start_cursor(stored, spec.name, spec.start - 1);
    if (lane.outputs) lane.outputs->restart(lane.open.cursor);
    s.dirty = true;
  }
}

bool Scheduler::State::awaits_baseline(const Subject& s, const TopologyPlace& place) const {
  return baseline_runs[place.topology] || (place.lane_count > 0 && s.lanes[place.first_lane].unplaced);
}

}  // namespace cape::scheduler
