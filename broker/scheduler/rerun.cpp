// Once a step: outputs that nobody needs go, and who stands before what is kept lets its lambda run again.
#include <utility>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {

bool Scheduler::State::waits_for_room(Lane& lane) const {
  return lane.outputs && lane.outputs->ticket != 0 && first_ready(lane) != nullptr;
}

// Something of it is on its way, so that it will come to an end by itself, as a read that fails may never. One
// that waits for room for outputs while another of its lambdas was let go for a full queue may wait for just
// those who wait for it.
bool Scheduler::State::goes_on(Subject& s, const TopologyPlace& place) const {
  if ((s.ping_out || s.more_answers) && !s.read_failed) return true;
  bool waits = false, was_left = false;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = s.lanes[i];
    if (lane.has_jobs() || lane.queued) return true;
    waits |= waits_for_room(lane);
    was_left |= lane.left != Left::no;
  }
  return waits && !was_left;
}

// Of a subject that stands still because outputs wait for a parked lambda: its events wait at the source.
void Scheduler::State::drop_waiting_if_full(Subject& s) {
  for (const TopologyPlace& place : layout_of(s).topologies) {
    if (place.needed_count == 0 || goes_on(s, place)) continue;
    for (std::uint32_t i = place.first_needed; i < place.first_lane + place.lane_count; ++i)
      if (s.lanes[i].outputs && outputs_full(s.lanes[i])) drop_all_waiting(s.lanes[i]);
  }
}

void Scheduler::State::note_idle(Subject& s, const TopologyPlace& place) {
  LaneOutputs& first = *s.lanes[place.first_needed].outputs;
  OutputBudget& budget = budgets[place.topology];
  const bool idle = first.charged > 0 && !goes_on(s, place);
  if (idle == (first.idle_ticket != 0)) return;
  if (!idle) {
    budget.idle.erase(std::exchange(first.idle_ticket, 0));
    return;
  }
  first.idle_ticket = ++budget.last_ticket;
  budget.idle.emplace(first.idle_ticket, OutputBudget::Place{s.slot, place.first_needed});
  budget.stirred = true;
}

void Scheduler::State::settle_needs(Subject& s) {
  for (const TopologyPlace& place : layout_of(s).topologies)
    if (place.needed_count > 0) settle_needs(s, place);
}

// From the last lane to the first: what one asks for, those before it may have to give.
void Scheduler::State::settle_needs(Subject& s, const TopologyPlace& place) {
  for (std::uint32_t i = place.first_lane + place.lane_count; i-- > place.first_lane;) {
    Lane& lane = s.lanes[i];
    if (!lane.outputs) continue;
    send_back(s, lane);
    go_forward(s, lane);
    trim(s, lane);
  }
  charge(s, place);
  for (std::uint32_t i = place.first_needed; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = s.lanes[i];
    if (!lane.outputs || (lane.outputs->ticket != 0 && !is_charged_for(s, lane))) continue;
    offer(s, lane);  // it may have been full
    issue_ready(lane.lambda);
  }
}

// What every dependant is through with that reads from here. One that is parked does not: when it goes on,
// the lambda runs again.
void Scheduler::State::trim(Subject& s, Lane& lane) {
  LaneOutputs& kept = *lane.outputs;
  Sequence lowest = lane.at();
  for (std::uint32_t i : layout_of(s).needed_by[lane.index]) {
    const Lane& later = s.lanes[i];
    if (later.at() >= kept.from && later.at() < parked_end(later)) lowest = std::min(lowest, later.at());
  }
  if (lowest > kept.from) kept.drop_to(lowest);
  // Whoever stands lowest may yet send all lambdas before it back to there.
  const Sequence lowest_of_all = cursor_of(s, place_of_lane(s, lane));
  std::erase_if(lane.passed,
                [&](const storage::SequenceRange& range) { return range.last <= lowest_of_all; });
}

// The sequence behind which it must run again for a dependant that could run; nullopt: it need not.
std::optional<Sequence> Scheduler::State::back_to(const Subject& s, const Lane& lane) const {
  Sequence lowest = lane.at();
  if (lane.outputs->missing > 0) lowest = std::min(lowest, lane.outputs->missing - 1);
  for (std::uint32_t i : layout_of(s).needed_by[lane.index]) {
    const Lane& later = s.lanes[i];
    for (std::size_t k = 0; k < later.size() && later.left == Left::no; ++k) {
      const Sequence position = later[k].position();
      const bool wants =
          takes_events(later[k]) && position < std::min(s.latest, end_without_inputs(s, later, later[k]));
      if (wants && lane.outputs->from > position) lowest = std::min(lowest, position);
    }
  }
  return lowest < lane.at() ? std::optional(lowest) : std::nullopt;
}

// As if the process had come up anew with this as its cursor, but that the cursor which is stored stays.
void Scheduler::State::go_back(Lane& lane, Sequence to) const {
  const Stretch& troubled = lane.troubled();
  Stretch all;
  all.cursor = to;
  all.repeat_to = lane.cursor();
  all.failed_sequence = troubled.failed_sequence;
  all.failed_ahead = troubled.failed_sequence != 0;
  all.attempts = troubled.attempts;
  all.failing_since_wall_ns = troubled.failing_since_wall_ns;
  all.next_try_wall_ns = troubled.next_try_wall_ns;
  all.parked = troubled.parked;
  all.reason = troubled.reason;
  for (std::size_t i = 0; i < lane.size(); ++i)
    all.repeat_to = std::max({all.repeat_to, lane[i].repeat_to, lane[i].cursor});
  lane.reached = lane.cursor();
  lane.earlier.clear();
  if (all.parked && !is_pipelined(lane)) {  // what lies before the parked event runs apart from it
    Stretch& front = lane.earlier.emplace_back();
    front.cursor = to;
    front.to = all.cursor = all.failed_sequence - 1;
    front.repeat_to = all.repeat_to;
  }
  lane.open = std::move(all);
  LaneOutputs& kept = *lane.outputs;
  if (to < kept.from) kept.restart(to);
  kept.drop_behind(to);
  kept.missing = 0;
}

// Requires: its outputs are needed.
void Scheduler::State::send_back(Subject& s, Lane& lane) {
  const std::optional<Sequence> to = lane.is_stopped() ? std::nullopt : back_to(s, lane);
  lane.outputs->goes_back = to && lane.has_jobs();
  if (!to) return;
  drop_all_waiting(lane);
  if (!lane.idle()) return;  // until then it gets nothing further
  for (std::uint32_t i : layout_of(s).needed_by[lane.index]) drop_all_waiting(s.lanes[i]);
  go_back(lane, *to);
}

// It runs again for nobody: who asked for it has been parked since.
void Scheduler::State::go_forward(const Subject& s, Lane& lane) {
  if (lane.at() >= lane.reached || !lane.idle() || !lane.earlier.empty() || lane.open.failed_sequence != 0)
    return;
  for (std::uint32_t i : layout_of(s).needed_by[lane.index]) {
    const Lane& later = s.lanes[i];
    if (later.at() < lane.reached && later.at() < parked_end(later)) return;
  }
  lane.open.cursor = lane.reached;
  lane.outputs->restart(lane.reached);
}

// Of a subject that was just loaded: nothing of it is in flight or waits.
void Scheduler::State::send_back_loaded(Subject& s) const {
  for (std::size_t i = s.lanes.size(); i-- > 0;) {
    Lane& lane = s.lanes[i];
    if (!lane.outputs || lane.is_stopped()) continue;
    if (const std::optional<Sequence> to = back_to(s, lane)) go_back(lane, *to);
  }
}

// The subject leaves memory.
void Scheduler::State::let_go_of_outputs(Subject& s) {
  for (const TopologyPlace& place : layout_of(s).topologies) {
    if (place.needed_count == 0) continue;
    drop_outputs(s, place);
    note_idle(s, place);  // charged nothing, so it is in no list
    for (std::uint32_t i = place.first_needed; i < place.first_lane + place.lane_count; ++i)
      if (s.lanes[i].outputs) end_wait_for_room(s.lanes[i]);
  }
}

}  // namespace cape::scheduler
