// What others may know of a subject, held or stored.
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
  load_record(s, plan, layouts[domain], stored);
  for (Lane& lane : s.lanes)
    if (lane.open.attempts > 0 && lane.open.next_try_wall_ns > now.wall_ns)
      lane.open.rest = Rest::backing_off;
  return s;
}

// Whether there are events behind the position only the source knows, so `latest` plays no part.
TopologyPosition Scheduler::State::position_of(const Subject& s, const Lane& lane,
                                               const Stretch& stretch) const {
  const bool has_room = queues.has_room(lane.lambda, !may_issue(lane, stretch));
  return {.topology = plan.lambdas[lane.lambda].topology,
          .position = stretch.position(),
          .can_run = !lane.refused && takes_events(stretch) && has_room &&
                     stretch.position() < end_of(s, lane, stretch)};
}

SubjectState Scheduler::State::state_of(const Subject& s, const Lane& lane) const {
  if (lane.parked()) return SubjectState::parked;
  bool in_flight = false, backing_off = false;
  for (std::size_t i = 0; i < lane.size(); ++i) {
    in_flight |= lane[i].job != 0;
    backing_off |= lane[i].rest == Rest::backing_off;
  }
  if (backing_off) return SubjectState::backing_off;
  if (in_flight) return SubjectState::in_flight;
  if (lane.cursor() >= s.latest) return SubjectState::done;
  return lane.cursor() >= limit(s, lane) ? SubjectState::waiting : SubjectState::ready;
}

// The topology is in the state of the lane that needs a person's eye most.
TopologyView Scheduler::State::view_of(const Subject& s, const TopologyPlace& place) const {
  static constexpr SubjectState by_weight[] = {SubjectState::parked,    SubjectState::backing_off,
                                               SubjectState::in_flight, SubjectState::ready,
                                               SubjectState::waiting,   SubjectState::done};
  const auto weight = [&](const Lane& lane) {
    return std::ranges::find(by_weight, state_of(s, lane)) - by_weight;
  };
  TopologyView view{.topology = place.topology};
  const Lane* heaviest = nullptr;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    const Lane& lane = s.lanes[i];
    view.cursor = heaviest == nullptr ? lane.cursor() : std::min(view.cursor, lane.cursor());
    if (heaviest == nullptr || weight(lane) < weight(*heaviest)) heaviest = &lane;
  }
  if (heaviest == nullptr) return view;
  view.state = state_of(s, *heaviest);
  view.attempt = heaviest->troubled().attempts;
  view.reason = heaviest->troubled().reason;
  if (view.reason.empty() && view.state == SubjectState::ready) view.reason = hosts.trouble(heaviest->lambda);
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
  return counters;
}

}  // namespace cape::scheduler
