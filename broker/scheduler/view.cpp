// What others may know of a subject, held or stored.
#include <span>

#include <fmt/format.h>

#include "broker/scheduler/record.hpp"
#include "broker/scheduler/state.hpp"

namespace cape::scheduler {

const char* name_of(SubjectState state) {
  switch (state) {
    case SubjectState::done:
      return "done";
    case SubjectState::ready:
      return "ready";
    case SubjectState::in_flight:
      return "in_flight";
    case SubjectState::backing_off:
      return "backing_off";
    case SubjectState::parked:
      return "parked";
    case SubjectState::paused:
      return "paused";
    case SubjectState::waiting:
      return "waiting";
  }
  return "unknown";
}

// A subject that is not held, as it would be loaded.
Subject Scheduler::State::subject_of(SubjectId id, DomainIndex domain,
                                     const storage::CursorInfo* stored) const {
  Subject s;
  s.id = id;
  s.domain = domain;
  load_record(s, plan, layouts[domain], stored, baseline_runs);
  place_in_slots(s);  // without its name in that of most subjects
  if (layouts[domain].has_needs) send_back_loaded(s);
  for (Lane& lane : s.lanes)
    if (lane.open.attempts > 0 && lane.open.next_try_wall_ns > now.wall_ns)
      lane.open.rest = Rest::backing_off;
  return s;
}

// Whether there are events behind the position only the source knows, so `latest` plays no part.
TopologyPosition Scheduler::State::position_of(const Subject& s, const Lane& lane,
                                               const Stretch& stretch) const {
  const bool has_room = queues.has_room(lane.lambda, !may_issue(lane, stretch));
  const bool waits_for_job = runs_latest(lane) && stretch.job != 0;
  return {.topology = plan.lambdas[lane.lambda].topology,
          .position = runs_latest(lane) ? aim(s, lane, stretch) : stretch.position(),
          .can_run = !lane.refused && !waits_for_job && takes_events(stretch) && has_room &&
                     stretch.position() < end_of(s, lane, stretch)};
}

SubjectState Scheduler::State::state_of(const Subject& s, const Lane& lane) const {
  if (lane.unplaced) return SubjectState::waiting;
  if (lane.parked()) return SubjectState::parked;
  if (!lane.has_jobs() && is_paused(s, layout_of(s).topology_of[lane.index])) return SubjectState::paused;
  bool in_flight = false, backing_off = false;
  for (std::size_t i = 0; i < lane.size(); ++i) {
    in_flight |= lane[i].job != 0;
    backing_off |= lane[i].rest == Rest::backing_off;
  }
  if (backing_off) return SubjectState::backing_off;
  if (in_flight) return SubjectState::in_flight;
  if (lane.cursor() >= s.latest) return SubjectState::done;
  const bool waits = baseline_runs[plan.lambdas[lane.lambda].topology] || lane.cursor() >= limit(s, lane) ||
                     awaited_input(s, lane) != nullptr;
  return waits ? SubjectState::waiting : SubjectState::ready;
}

// Of a topology's lanes the one that needs a person's eye most.
const Lane& Scheduler::State::heaviest(const Subject& s, const TopologyPlace& place) const {
  static constexpr SubjectState by_weight[] = {
      SubjectState::parked, SubjectState::paused,  SubjectState::backing_off, SubjectState::in_flight,
      SubjectState::ready,  SubjectState::waiting, SubjectState::done};
  const auto weight = [&](const Lane& lane) {
    return std::ranges::find(by_weight, state_of(s, lane)) - by_weight;
  };
  const std::span<const Lane> lanes(&s.lanes[place.first_lane], place.lane_count);
  return *std::ranges::min_element(lanes, {}, weight);
}

// Follows one input of each lambda: whatever else it waits for comes, or is what it waits for next.
bool Scheduler::State::awaits_parked_input(const Subject& s, const Lane& lane) const {
  for (const Lane* up = awaited_input(s, lane); up != nullptr; up = awaited_input(s, *up))
    if (up->parked() && up->at() >= parked_end(*up)) return true;
  return false;
}

// By itself it moves on no more: it is parked or paused, or it waits for what is.
bool Scheduler::State::is_stopped(const Subject& s, const TopologyPlace& place, const Lane& lane) const {
  const SubjectState state = state_of(s, lane);
  const bool is_parked = state == SubjectState::parked;
  if (is_parked && lane.cursor() >= parked_end(lane)) return true;
  if (state == SubjectState::paused || awaits_parked_input(s, lane)) return true;
  // Events before a parked one may wait as well.
  if (state != SubjectState::waiting && !(is_parked && lane.cursor() >= limit(s, lane))) return false;
  const auto& all = layout_of(s).topologies;
  return std::ranges::any_of(place.after, [&](std::uint32_t earlier) {
    return cursor_of(s, all[earlier]) <= lane.cursor() && is_stopped(s, all[earlier]);
  });
}

// One of its lowest lambdas is, so that its cursor stays. Ends, since `after` goes round in no circle.
bool Scheduler::State::is_stopped(const Subject& s, const TopologyPlace& place) const {
  const Sequence cursor = cursor_of(s, place);
  const std::span<const Lane> lanes(&s.lanes[place.first_lane], place.lane_count);
  return std::ranges::any_of(
      lanes, [&](const Lane& lane) { return lane.cursor() == cursor && is_stopped(s, place, lane); });
}

// Which topology it waits for: the one whose cursor is lowest.
std::string Scheduler::State::wait_of(const Subject& s, const TopologyPlace& place) const {
  if (awaits_baseline(s, place)) return std::string(awaits_baseline_reason);
  const auto& all = layout_of(s).topologies;
  const auto cursor = [&](std::uint32_t earlier) { return cursor_of(s, all[earlier]); };
  const TopologyPlace& earlier = all[*std::ranges::min_element(place.after, {}, cursor)];
  const SubjectState state = state_of(s, heaviest(s, earlier));
  return fmt::format("comes after topology '{}', which is {} with its cursor at {}",
                     plan.topologies[earlier.topology].name, name_of(state), cursor_of(s, earlier));
}

// Who paused it, in an operator's words.
std::string Scheduler::State::pause_reason(const Subject& s, const TopologyPlace& place) const {
  const TopologyPause& whole = topology_pauses[place.topology];
  const auto index = static_cast<std::uint32_t>(&place - layout_of(s).topologies.data());
  const Control::Pause* own = s.control ? s.control->pause_of(index) : nullptr;
  const std::string& reason = own ? own->reason : whole.reason;
  return fmt::format("the {} is paused by an operator{}{}", own ? "subject" : "topology",
                     reason.empty() ? "" : ": ", reason);
}

TopologyView Scheduler::State::view_of(const Subject& s, const TopologyPlace& place) const {
  TopologyView view{.topology = place.topology};
  if (place.lane_count == 0) return view;
  const Lane& lane = heaviest(s, place);
  view.cursor = cursor_of(s, place);
  view.state = state_of(s, lane);
  view.attempt = lane.troubled().attempts;
  view.reason = lane.troubled().reason;
  view.stopped = is_stopped(s, place);
  view.unplaced = lane.unplaced;
  if (view.state == SubjectState::paused) view.reason = pause_reason(s, place);
  if (view.state == SubjectState::waiting) {
    const Lane* needed = awaited_input(s, lane);
    view.reason = needed ? input_wait_of(s, lane, *needed) : wait_of(s, place);
  }
  if (view.reason.empty() && view.state == SubjectState::ready) view.reason = hosts.trouble(lane.lambda);
  return view;
}

std::vector<TopologyPosition> Scheduler::positions(SubjectId subject, DomainIndex domain,
                                                   const storage::CursorInfo* stored) const {
  const Subject* held = state_->subjects.find(subject);
  std::optional<Subject> loaded;
  if (held == nullptr) held = &loaded.emplace(state_->subject_of(subject, domain, stored));
  std::vector<TopologyPosition> positions;
  positions.reserve(held->lanes.size());
  for (const Lane& lane : held->lanes)
    for (std::size_t i = 0; i < lane.size(); ++i)
      positions.push_back(state_->position_of(*held, lane, lane[i]));
  return positions;
}

SubjectView Scheduler::view(SubjectId subject, DomainIndex domain, const storage::CursorInfo* stored) const {
  const Subject* held = state_->subjects.find(subject);
  std::optional<Subject> loaded;
  if (held == nullptr) held = &loaded.emplace(state_->subject_of(subject, domain, stored));
  SubjectView view{.latest = held->latest, .topologies = {}};
  for (const TopologyPlace& place : state_->layout_of(*held).topologies)
    view.topologies.push_back(state_->view_of(*held, place));
  return view;
}

Counters Scheduler::counters() const {
  Counters counters = state_->counters;
  counters.subjects_in_memory = state_->subjects.size();
  counters.jobs_in_flight = state_->jobs.size();
  counters.waiting_bytes = state_->queues.bytes();
  counters.timers = state_->queues.timers();
  counters.hosts = state_->hosts.size();
  for (const OutputBudget& budget : state_->budgets) counters.outputs_bytes += budget.charged;
  return counters;
}

}  // namespace cape::scheduler
