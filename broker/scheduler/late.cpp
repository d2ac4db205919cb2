// Events that appear below a bound which their source had given: who has passed them is told, and, where the
// config says so, gets them on their own, one at a time, in a stretch of theirs beside the line of the
// others.
#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

// The line has passed it, or will have when a job that is out is done. One that runs again for the sake of
// its outputs may yet come by, or go on from where it was.
bool has_passed(const Lane& lane, Sequence sequence) {
  if (sequence <= lane.reached) return true;
  for (std::size_t i = 0; i < lane.line_size(); ++i) {
    const Stretch& stretch = lane[i];
    if (stretch.cursor < sequence && sequence <= stretch.to)
      return stretch.job != 0 && sequence <= stretch.job_end;
  }
  return true;
}

bool has_come_to(const Lane& lane, Sequence sequence) {
  for (std::size_t i = 0; i < lane.line_size(); ++i)
    if (lane[i].position() >= sequence) return true;
  return false;
}

// A later one that comes back takes the place of one that is told by its number alone.
bool put(storage::LateEvents& told, Sequence sequence) {
  const auto at = std::ranges::lower_bound(told.events, sequence, {}, &storage::LateEvent::sequence);
  if (at != told.events.end() && at->sequence == sequence) return false;
  if (told.events.size() < storage::late_events_max) {
    told.events.insert(at, {.sequence = sequence, .reason = {}});
    return true;
  }
  ++told.more;
  told.more_from = told.more_from == 0 ? sequence : std::min(told.more_from, sequence);
  return true;
}

storage::LateEvent* event_of(LateLane& late) {
  const auto at = std::ranges::find(late.told.events, late.stretch.to, &storage::LateEvent::sequence);
  return at == late.told.events.end() ? nullptr : &*at;
}

}  // namespace

void keep_late(LateLane& late) {
  storage::LateEvent* event = event_of(late);
  if (event == nullptr) return;
  const Stretch& stretch = late.stretch;
  *event = {.sequence = event->sequence,
            .attempts = stretch.attempts,
            .next_try_wall_ns = stretch.next_try_wall_ns,
            .parked = stretch.parked,
            .reason = stretch.attempts > 0 || stretch.parked ? stretch.reason : ""};
}

void begin_late(LateLane& late, bool runs) {
  late.stretch = LateLane::no_stretch();
  if (!runs) return;
  const auto next = std::ranges::find(late.told.events, false, &storage::LateEvent::parked);
  if (next == late.told.events.end()) return;
  late.stretch.cursor = next->sequence - 1;
  late.stretch.to = next->sequence;
  late.stretch.repeat_to = late.is_new && next->attempts == 0 ? 0 : next->sequence;
  late.stretch.failed_sequence = next->attempts > 0 ? next->sequence : 0;
  late.stretch.attempts = next->attempts;
  late.stretch.next_try_wall_ns = next->next_try_wall_ns;
  late.stretch.reason = next->reason;
}

// Before the lanes are served: what they have taken so far they took from answers without these events. What
// a mode reads far ahead in which nothing is late is not worth losing the window for.
void Scheduler::State::note_given(Subject& s, const EventBlock& block, Sequence proven_to) {
  const auto comes_from_there = [&](const Lane& lane) {
    return !runs_latest(lane) && !lane.unplaced && has_come_to(lane, block.proven_from - 1);
  };
  if (block.proven_from > s.given.to + 1 && std::ranges::none_of(s.lanes, comes_from_there)) return;
  for (const Sequence sequence : s.given.note(block, proven_to, now.wall_ns / ns_per_s)) {
    s.dirty = true;  // a skip may have to know of it
    for (const TopologyPlace& place : layout_of(s).topologies) note_late(s, place, sequence);
  }
}

void Scheduler::State::note_late(Subject& s, const TopologyPlace& place, Sequence sequence) {
  const TopologySpec& spec = plan.topologies[place.topology];
  if (spec.mode == Mode::latest || sequence < spec.start) return;  // it would have been passed over
  const Lane* told = nullptr;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i)
    if (note_late(s.lanes[i], sequence)) told = &s.lanes[i];
  if (told == nullptr) return;
  s.dirty = true;
  tell_late(s, *told, sequence);
}

void Scheduler::State::tell_late(const Subject& s, const Lane& lane, Sequence sequence) {
  ++counters.late;
  actions.push_back(Notice{.kind = Notice::Kind::late,
                           .topology = plan.lambdas[lane.lambda].topology,
                           .lambda = lane.lambda,
                           .subject = s.name,
                           .sequence = sequence,
                           .outcome = {}});
}

// An event that appeared between the cursor and the one that was skipped would have run, had that been tried
// again. Or it has run, in a job whose host was lost at the next one.
void Scheduler::State::tell_of_skipped(Subject& s, Lane& lane, Sequence from, Sequence to) {
  if (runs_latest(lane)) return;
  for (const storage::SequenceRange& run : s.given.runs)
    for (Sequence at = std::max(run.first, from + 1); at <= std::min(run.last, to - 1); ++at)
      if (note_late(lane, at)) {
        lane.late->is_new = false;
        if (lane.late->stretch.to == at) lane.late->stretch.repeat_to = at;
        tell_late(s, lane, at);
      }
}

bool Scheduler::State::note_late(Lane& lane, Sequence sequence) {
  if (lane.unplaced) return false;
  if (!has_passed(lane, sequence)) {
    for (std::size_t i = 0; i < lane.line_size(); ++i)  // what waits is read again, and has it then
      if (lane[i].cursor < sequence && sequence <= lane[i].waiting_end) drop_waiting(lane, lane[i]);
    return false;
  }
  if (!lane.late) lane.late = std::make_unique<LateLane>(LateLane{.is_new = epoch == 1});
  if (!put(lane.late->told, sequence)) return false;
  if (lane.late->stretch.to == 0) begin_late(*lane.late, runs_late(lane));
  return true;
}

// A topology that comes after another one gets a late event after it, too, if that one runs it.
Sequence Scheduler::State::end_of_late(const Subject& s, const Lane& lane, const Stretch& stretch) const {
  if (lane.is_stopped()) return -1;
  for (std::size_t i = 0; i < lane.line_size(); ++i)  // its line may yet come by
    if (lane[i].cursor < stretch.to && stretch.to <= lane[i].to) return -1;
  const DomainLayout& layout = layout_of(s);
  for (std::uint32_t earlier : layout.topologies[layout.topology_of[lane.index]].after) {
    const TopologyPlace& place = layout.topologies[earlier];
    for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i)
      if (const Lane& before = s.lanes[i];
          before.late && runs_late(before) && before.late->awaits(stretch.to))
        return -1;
  }
  return std::min(limit(s, lane), stretch.to);
}

// It ran, or its source has it no more.
void Scheduler::State::end_late(Subject& s, Lane& lane) {
  forget_late(s, lane, lane.late->stretch.to, lane.late->stretch.to);
}

void Scheduler::State::park_late(Lane& lane) {
  keep_late(*lane.late);
  begin_late(*lane.late, runs_late(lane));
}

// Requires: none of these is in flight.
void Scheduler::State::forget_late(Subject& s, Lane& lane, Sequence first, Sequence last) {
  if (!lane.late) return;
  LateLane& late = *lane.late;
  const auto is_meant = [&](Sequence sequence) { return first <= sequence && sequence <= last; };
  keep_late(late);
  const std::size_t erased = std::erase_if(
      late.told.events, [&](const storage::LateEvent& event) { return is_meant(event.sequence); });
  const bool forgets_more = late.told.more > 0 && is_meant(late.told.more_from);
  if (forgets_more) late.told.more = 0, late.told.more_from = 0;
  if (erased > 0 || forgets_more) s.dirty = true;
  if (!is_meant(late.stretch.to)) return;
  drop_waiting(lane, late.stretch);
  clear_timer(lane, late.stretch);
  begin_late(late, runs_late(lane));
}

// The line came by, for the sake of its outputs.
void Scheduler::State::forget_late_that_ran(Subject& s, Lane& lane, const EventRange& events,
                                            std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    if (events[i].sequence <= lane.reached) forget_late(s, lane, events[i].sequence, events[i].sequence);
}

void Scheduler::State::redrive_late(Subject& s, Lane& lane) {
  if (!lane.late || !lane.late->has_failed()) return;
  clear_timer(lane, lane.late->stretch);
  for (storage::LateEvent& event : lane.late->told.events) event = {.sequence = event.sequence, .reason = {}};
  lane.late->is_new = false;
  begin_late(*lane.late, runs_late(lane));
  s.dirty = true;
}

bool Scheduler::State::explain_late(const Subject& s, const TopologyPlace& place, Why& why) const {
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    const Lane& lane = s.lanes[i];
    if (!lane.late || lane.late->told.empty()) continue;
    const storage::LateEvents& told = lane.late->told;
    why.cause = Cause::late;
    why.lambda = lane.lambda;
    why.sequence = told.events.empty() ? told.more_from : told.events.front().sequence;
    why.attempt = told.events.empty() ? 0 : told.events.front().attempts;
    why.detail = fmt::format("{} event{} appeared below what its source had given{}", told.count(),
                             told.count() == 1 ? "" : "s",
                             runs_late(lane) ? "" : ", and late = \"report\" does not run them");
    if (!told.events.empty() && !told.events.front().reason.empty())
      why.detail += "; it failed: " + told.events.front().reason;
    return true;
  }
  return false;
}

}  // namespace cape::scheduler
