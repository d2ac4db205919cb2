// Room for what waits for dependants: who has it, who waits for it, who loses it.
#include <utility>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {

std::uint64_t Scheduler::State::charge_for(const Subject& s, const TopologyPlace& place) const {
  std::uint64_t sum = 0;
  bool any = false;
  for (std::uint32_t i = place.first_needed; i < place.first_lane + place.lane_count; ++i) {
    const Lane& lane = s.lanes[i];
    if (!lane.outputs) continue;
    any |= lane.outputs->used() > 0;
    sum += std::max(lane.outputs->used(), budget_of(lane).job_bytes_max);
  }
  return any ? sum : 0;
}

void Scheduler::State::charge(Subject& s, const TopologyPlace& place) {
  LaneOutputs& first = *s.lanes[place.first_needed].outputs;
  OutputBudget& budget = budgets[place.topology];
  const std::uint64_t now_due = charge_for(s, place);
  // Also when it rises: what it has been charged for it may use.
  if (now_due != first.charged) budget.stirred = true;
  budget.charged = budget.charged - first.charged + now_due;
  first.charged = now_due;
}

void Scheduler::State::reserve_outputs(Subject& s, Lane& lane, std::uint64_t bytes) {
  lane.outputs->reserved += bytes;
  end_wait_for_room(lane);
  charge(s, place_of_lane(s, lane));
}

std::uint64_t Scheduler::State::charge_with_job(const Subject& s, Lane& lane) const {
  lane.outputs->reserved += budget_of(lane).job_bytes_max;
  const std::uint64_t due = charge_for(s, place_of_lane(s, lane));
  lane.outputs->reserved -= budget_of(lane).job_bytes_max;
  return due;
}

// One further job may be issued whatever others have: that of a lambda without outputs, where others of the
// subject have some, and one without which what the subject has is of no use.
bool Scheduler::State::is_charged_for(const Subject& s, Lane& lane) const {
  const std::uint64_t charged = s.lanes[place_of_lane(s, lane).first_needed].outputs->charged;
  if (charge_with_job(s, lane) <= charged) return true;
  const Stretch* ready = first_ready(lane);
  return charged > 0 && ready != nullptr && has_only_ahead(lane, *ready);
}

// For one further job of the lane; at worst others lose what they keep.
bool Scheduler::State::has_output_room(Subject& s, Lane& lane) {
  if (is_charged_for(s, lane)) return true;
  const TopologyPlace& place = place_of_lane(s, lane);
  OutputBudget& budget = budgets[place.topology];
  const std::uint64_t charged = s.lanes[place.first_needed].outputs->charged;
  const std::uint64_t due = charge_with_job(s, lane);
  const auto fits = [&] {
    const std::uint64_t others = budget.charged - charged;
    return due <= charged || others == 0 || others + due <= budget.bytes_max;
  };
  while (!fits())
    if (!evict_one(budget)) return false;
  return true;
}

void Scheduler::State::wait_for_room(const Subject& s, Lane& lane) {
  if (lane.outputs->ticket != 0) return;  // it keeps its turn
  OutputBudget& budget = budget_of(lane);
  lane.outputs->ticket = ++budget.last_ticket;
  budget.waiting.emplace(lane.outputs->ticket, OutputBudget::Place{s.slot, lane.index});
}

void Scheduler::State::end_wait_for_room(Lane& lane) {
  if (const std::uint64_t ticket = std::exchange(lane.outputs->ticket, 0))
    budget_of(lane).waiting.erase(ticket);
}

// True: a subject was touched.
bool Scheduler::State::issue_with_room() {
  const std::size_t before = touched.size();
  for (OutputBudget& budget : budgets) {
    if (!std::exchange(budget.stirred, false)) continue;
    while (!budget.waiting.empty()) {
      const OutputBudget::Place place = budget.waiting.begin()->second;
      Subject& s = subjects.at(place.slot);
      Lane& lane = s.lanes[place.lane];
      if (first_ready(lane) != nullptr && !has_output_room(s, lane)) break;
      end_wait_for_room(lane);
      offer(s, lane);
      issue_ready(lane.lambda);
    }
  }
  return touched.size() > before;
}

// The oldest of them.
bool Scheduler::State::evict_one(OutputBudget& budget) {
  while (!budget.idle.empty()) {
    const OutputBudget::Place at = budget.idle.begin()->second;
    Subject& s = subjects.at(at.slot);
    const TopologyPlace& place = layout_of(s).topologies[layout_of(s).topology_of[at.lane]];
    s.lanes[at.lane].outputs->idle_ticket = 0;
    budget.idle.erase(budget.idle.begin());
    if (goes_on(s, place)) continue;
    drop_outputs(s, place);
    ++counters.outputs_dropped;
    touch(s);
    return true;
  }
  return false;
}

void Scheduler::State::drop_outputs(Subject& s, const TopologyPlace& place) {
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = s.lanes[i];
    if (!layout_of(s).needs[i].empty()) drop_all_waiting(lane);
    if (lane.outputs) lane.outputs->restart(lane.at());
  }
  charge(s, place);
}

}  // namespace cape::scheduler
