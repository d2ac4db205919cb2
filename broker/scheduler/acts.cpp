// What operators ask of subjects and topologies.
//
//   Command ─▶ fence: jobs cancelled, nothing issued ─▶ none in flight, also of an earlier life: performed ─▶
//   saved, synced ─▶ CommandDone
//
// Acts of one subject are performed in the order they came, each whole: nothing is issued from a cursor that
// an act moved before that cursor is on disk.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

constexpr std::string_view went_back_cause = "source_went_back";

std::uint32_t place_of(const DomainLayout& layout, TopologyIndex topology) {
  const auto at = std::ranges::find(layout.topologies, topology, &TopologyPlace::topology);
  CAPE_CHECK(at != layout.topologies.end());  // the caller knows the domain's topologies
  return static_cast<std::uint32_t>(at - layout.topologies.begin());
}

bool has_failed(const Stretch& stretch) {
  return stretch.parked || stretch.attempts > 0;
}

bool stopped_by_source(const Lane& lane) {
  return lane.is_stopped() && lane.open.reason.starts_with(went_back_cause);
}

bool is_told_late(std::span<const Lane> lanes, Sequence sequence) {
  return sequence > 0 && std::ranges::any_of(lanes, [&](const Lane& lane) {
           return lane.late &&
                  (lane.late->told.more_from == sequence ||
                   std::ranges::find(lane.late->told.events, sequence, &storage::LateEvent::sequence) !=
                       lane.late->told.events.end());
         });
}

// The lane as if all of it that is not done had never been issued.
void collapse(Lane& lane, bool runs_late) {
  Stretch all;
  all.cursor = lane.cursor();
  for (std::size_t i = 0; i < lane.line_size(); ++i)
    all.repeat_to = std::max({all.repeat_to, lane[i].repeat_to, lane[i].cursor});
  if (lane.late) {
    keep_late(*lane.late);
    lane.late->is_new = false;
    begin_late(*lane.late, runs_late);
  }
  lane.earlier.clear();
  lane.open = std::move(all);
  lane.reached = 0;
  if (lane.outputs) lane.outputs->restart(lane.open.cursor);
}

}  // namespace

const char* name_of(Act act) {
  switch (act) {
    case Act::pause:
      return "pause";
    case Act::resume:
      return "resume";
    case Act::park:
      return "park";
    case Act::redrive:
      return "redrive";
    case Act::skip:
      return "skip";
    case Act::rewind:
      return "rewind";
  }
  return "unknown";
}

void Scheduler::State::apply(const Command& command) {
  CAPE_CHECK(command.domain < layouts.size() && command.subject != 0);
  CAPE_CHECK(command.reason.size() <= act_reason_bytes_max);
  Subject& s = hold(command);
  touch(s);
  if (!s.control) s.control = std::make_unique<Control>();
  if (s.control->acts.size() >= acts_per_subject_max) {
    actions.push_back(
        CommandDone{.id = command.id,
                    .refusal = fmt::format("{} commands of this subject wait already: try again "
                                           "when they are done",
                                           acts_per_subject_max)});
    return;
  }
  const std::uint32_t place = place_of(layout_of(s), command.topology);
  s.control->acts.push_back({.id = command.id,
                             .act = command.act,
                             .place = place,
                             .sequence = command.sequence,
                             .reason = command.reason});
  if (needs_fence(command.act)) fence(s, layout_of(s).topologies[place]);
}

void Scheduler::State::fence(Subject& s, const TopologyPlace& place) {
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = s.lanes[i];
    drop_all_waiting(lane);
    for (std::size_t k = 0; k < lane.size(); ++k)
      if (lane[k].job != 0) actions.push_back(CancelJob{jobs.find(lane[k].job)->host, lane[k].job});
  }
}

void Scheduler::State::apply(const PauseTopology& pause) {
  CAPE_CHECK(pause.topology < topology_pauses.size());
  topology_pauses[pause.topology] = {pause.paused, pause.reason};
  subjects.for_each([&](Subject& s) {
    const DomainLayout& layout = layout_of(s);
    const auto place = std::ranges::find(layout.topologies, pause.topology, &TopologyPlace::topology);
    if (place == layout.topologies.end()) return;
    for (std::uint32_t i = place->first_lane; pause.paused && i < place->first_lane + place->lane_count; ++i)
      drop_all_waiting(s.lanes[i]);
    touch(s);
  });
  if (!pause.paused) actions.push_back(WalkBehind{});  // for those that left memory meanwhile
}

void Scheduler::State::apply(const EarlierJobs& input) {
  earlier_jobs = input.may_run;
  subjects.for_each([&](Subject& s) {
    if (s.control && !s.control->acts.empty()) touch(s);
  });
}

void Scheduler::State::perform_acts(Subject& s) {
  if (!s.control) return;
  std::vector<Control::Pending>& acts = s.control->acts;
  for (std::size_t i = 0; i < acts.size();) {
    Control::Pending& act = acts[i];
    const TopologyPlace& place = layout_of(s).topologies[act.place];
    const std::span<const Lane> lanes(&s.lanes[place.first_lane], place.lane_count);
    if (act.applied) {
      ++i;
      continue;
    }
    if (needs_fence(act.act) && (earlier_jobs || std::ranges::any_of(lanes, &Lane::has_jobs))) return;
    if (std::string refusal = refusal_of(s, act); !refusal.empty()) {
      const Sequence cursor = cursor_of(s, place);
      actions.push_back(
          CommandDone{.id = act.id, .refusal = std::move(refusal), .from = cursor, .to = cursor});
      acts.erase(acts.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    act.from = cursor_of(s, place);
    const Sequence skipped = act.act == Act::skip ? skip_to(s, act) : 0;
    perform_act(s, act);
    act.to = act.act == Act::skip ? skipped : cursor_of(s, place);
    act.applied = true;
    s.dirty = true;
    ++i;
  }
  drop_empty_control(s);
}

// Empty: it can be done.
std::string Scheduler::State::refusal_of(const Subject& s, const Control::Pending& act) const {
  const TopologyPlace& place = layout_of(s).topologies[act.place];
  const std::span<const Lane> lanes(&s.lanes[place.first_lane], place.lane_count);
  if (std::ranges::any_of(lanes, &Lane::unplaced))
    return fmt::format("{}: try again when that is done", awaits_baseline_reason);
  switch (act.act) {
    case Act::pause:
      return s.control && s.control->pause_of(act.place) ? "it is paused already" : "";
    case Act::resume:
      if (s.control && s.control->pause_of(act.place)) return {};
      return topology_pauses[place.topology].paused
                 ? "the topology as a whole is paused: resume it without naming a subject"
                 : "it is not paused";
    case Act::park:
      return std::ranges::all_of(lanes, &Lane::is_stopped) ? "it is parked already" : "";
    case Act::redrive: {
      if (std::ranges::any_of(lanes, stopped_by_source))
        return "its source went back behind the cursor: rewind it to the first sequence that shall run";
      const auto waits = [](const Lane& lane) {
        return has_failed(lane.troubled()) || std::ranges::any_of(lane.earlier, has_failed) ||
               (lane.late && lane.late->has_failed());
      };
      return std::ranges::any_of(lanes, waits)
                 ? ""
                 : "nothing of it is parked or failed: there is nothing to redrive";
    }
    case Act::skip: {
      if (is_told_late(lanes, act.sequence)) return {};
      const Sequence failed = skip_to(s, place);
      if (failed == 0 &&
          std::ranges::any_of(lanes, [](const Lane& lane) { return has_failed(lane.troubled()); }))
        return "events before the one that failed have yet to run: skip it when the cursor has come to it";
      if (failed == 0)
        return std::ranges::any_of(lanes, [](const Lane& lane) { return lane.late != nullptr; })
                   ? "no event of it is parked or failed, but some came too late: say which one, with "
                     "--sequence"
                   : "no event of it is parked or failed: there is nothing to skip";
      if (act.sequence == 0 || act.sequence == failed) {
        const auto cannot_keep = [&](const Lane& lane) {
          return lane.outputs && lane[0].failed_sequence == failed &&
                 lane.passed.size() >= storage::passed_ranges_max;
        };
        if (std::ranges::none_of(lanes, cannot_keep)) return {};
        return fmt::format(
            "{} skipped events wait for lambdas that need this one already: let those go on first",
            storage::passed_ranges_max);
      }
      return fmt::format("event {} is not the one that is parked or failed, which is {}", act.sequence,
                         failed);
    }
    case Act::rewind: {
      // One that its source stopped may stay where it stands, which is all there is at its start.
      const auto goes_back = [&](const Lane& lane) {
        return lane.cursor() + (stopped_by_source(lane) ? 1 : 0) >= act.sequence;
      };
      if (std::ranges::any_of(lanes, goes_back)) return {};
      return fmt::format("its cursor is at {}: {} has yet to run, so there is nothing to rewind",
                         cursor_of(s, place), act.sequence);
    }
  }
  return "an unknown act";
}

// The lowest event of the topology that is parked or failed and that a cursor stands right before; 0: none.
Sequence Scheduler::State::skip_to(const Subject& s, const TopologyPlace& place) const {
  Sequence lowest = 0;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    const Lane& lane = s.lanes[i];
    if (!stands_before_failed(lane)) continue;
    const Sequence failed = lane[0].failed_sequence;
    if (lowest == 0 || failed < lowest) lowest = failed;
  }
  return lowest;
}

// The event that a skip is about; 0: none.
Sequence Scheduler::State::skip_to(const Subject& s, const Control::Pending& act) const {
  const TopologyPlace& place = layout_of(s).topologies[act.place];
  const std::span<const Lane> lanes(&s.lanes[place.first_lane], place.lane_count);
  return is_told_late(lanes, act.sequence) ? act.sequence : skip_to(s, place);
}

// Nothing lies between the cursor and the failed event. In a pipelined lane it may: then a skip would pass
// over that too, or be forgotten with the process, since the store knows the cursor alone.
bool Scheduler::State::stands_before_failed(const Lane& lane) const {
  const Stretch& first = lane[0];
  if (first.failed_sequence == 0) return false;
  const bool may_lie_ahead = is_pipelined(lane) && (lane.is_open(first) || first.failed_ahead);
  return !may_lie_ahead || first.cursor == first.failed_sequence - 1;
}

void Scheduler::State::perform_act(Subject& s, const Control::Pending& act) {
  const TopologyPlace& place = layout_of(s).topologies[act.place];
  if (act.act == Act::pause) {
    const auto after =
        std::ranges::find_if(s.control->pauses, [&](const Control::Pause& p) { return p.place > act.place; });
    s.control->pauses.insert(after, {act.place, act.reason});
  } else if (act.act == Act::resume) {
    std::erase_if(s.control->pauses, [&](const Control::Pause& p) { return p.place == act.place; });
  }
  const Sequence skipped = act.act == Act::skip ? skip_to(s, act) : 0;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = s.lanes[i];
    if (act.act == Act::pause) drop_all_waiting(lane);
    if (act.act == Act::park) stop(s, lane, act.reason);
    if (act.act == Act::redrive) redrive(s, lane);
    if (act.act == Act::skip) skip(s, lane, skipped);
    if (act.act == Act::skip) forget_late(s, lane, skipped, skipped);
    if (act.act == Act::rewind) rewind(s, lane, act.sequence - 1);
  }
}

void Scheduler::State::stop(Subject& s, Lane& lane, const std::string& reason) {
  for (std::size_t i = 0; i < lane.size(); ++i) clear_timer(lane, lane[i]);
  collapse(lane, runs_late(lane));
  lane.open.parked = true;
  lane.open.reason = reason.empty() ? "parked by an operator" : "parked by an operator: " + reason;
  s.dirty = true;
  ++counters.parked;
}

void Scheduler::State::redrive(Subject& s, Lane& lane) {
  redrive_late(s, lane);
  for (std::size_t i = 0; i < lane.line_size(); ++i) {
    Stretch& stretch = lane[i];
    clear_timer(lane, stretch);
    if (!has_failed(stretch)) continue;
    stretch.repeat_to = std::max(stretch.repeat_to, stretch.failed_sequence);
    stretch.parked = false;
    stretch.failed_sequence = 0;
    stretch.attempts = 0;
    stretch.next_try_wall_ns = 0;
    stretch.reason.clear();
    s.dirty = true;
  }
  if (!is_pipelined(lane) && !lane.earlier.empty()) collapse(lane, runs_late(lane));  // they are one again
}

void Scheduler::State::skip(Subject& s, Lane& lane, Sequence to) {
  Stretch& first = lane[0];
  if (first.failed_sequence != to || !stands_before_failed(lane)) return;
  clear_timer(lane, first);
  first.parked = false;
  if (runs_latest(lane)) note_passed(lane, first.cursor + 1, to - 1);
  if (lane.outputs) skip_in(lane, to);
  const Sequence from = first.cursor;
  advance(s, lane, first, to);
  tell_of_skipped(s, lane, from, to);
}

// What lies between the new cursor and where it stood has run before.
void Scheduler::State::rewind(Subject& s, Lane& lane, Sequence to) {
  const bool by_source = stopped_by_source(lane);
  for (std::size_t i = 0; i < lane.size(); ++i) clear_timer(lane, lane[i]);
  collapse(lane, runs_late(lane));
  lane.open.cursor = std::min(lane.open.cursor, to);
  if (lane.outputs) lane.outputs->restart(lane.open.cursor);
  forget_late(s, lane, lane.open.cursor + 1, INT64_MAX);
  // What lies below stays passed over: nothing of it runs again.
  std::erase_if(lane.passed, [to](const storage::SequenceRange& range) { return range.first > to; });
  if (!lane.passed.empty()) lane.passed.back().last = std::min(lane.passed.back().last, to);
  lane.saved_cursor = std::min(lane.saved_cursor, lane.open.cursor);
  s.dirty = true;
  if (!by_source) return;
  // The source has less than it once told of; what it has now it tells with the next answer.
  s.latest = 0;
  for (const Lane& other : s.lanes)
    if (!stopped_by_source(other)) s.latest = std::max(s.latest, other.cursor());
}

void Scheduler::State::put_acts(Subject& s, SaveCursor& save) {
  if (!s.control) return;
  for (Control::Pending& act : s.control->acts) {
    if (!act.applied || act.version != 0) continue;
    act.version = save.version;
    save.sync = true;
    save.audit.push_back({.time_ns = now.wall_ns,
                          .act = name_of(act.act),
                          .domain = {},
                          .subject = s.name,
                          .topology = plan.topologies[layout_of(s).topologies[act.place].topology].name,
                          .from = act.from,
                          .to = act.to,
                          .reason = act.reason});
  }
}

void Scheduler::State::end_acts(Subject& s, std::uint64_t version) {
  if (!s.control) return;
  std::erase_if(s.control->acts, [&](const Control::Pending& act) {
    if (act.version != version) return false;
    actions.push_back(CommandDone{.id = act.id, .refusal = {}, .from = act.from, .to = act.to});
    return true;
  });
  drop_empty_control(s);
}

void Scheduler::State::forget_save_of_acts(Subject& s, std::uint64_t version) {
  if (!s.control) return;
  for (Control::Pending& act : s.control->acts)
    if (act.version == version) act.version = 0;
}

void Scheduler::State::drop_empty_control(Subject& s) {
  if (s.control && s.control->empty()) s.control.reset();
}

Preview Scheduler::preview(const Command& command) const {
  const Subject* held = state_->subjects.find(command.subject);
  std::optional<Subject> loaded;
  if (held == nullptr)
    held = &loaded.emplace(
        state_->subject_of(command.subject, command.domain, command.stored ? &*command.stored : nullptr));
  const DomainLayout& layout = state_->layout_of(*held);
  const Control::Pending act{.act = command.act,
                             .place = place_of(layout, command.topology),
                             .sequence = command.sequence,
                             .reason = {}};
  const TopologyPlace& place = layout.topologies[act.place];
  Preview preview{.refusal = state_->refusal_of(*held, act), .from = state_->cursor_of(*held, place)};
  preview.to = preview.from;
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i)
    for (std::size_t k = 0; k < held->lanes[i].size(); ++k)
      preview.jobs_to_cancel += needs_fence(command.act) && held->lanes[i][k].job != 0;
  if (!preview.refusal.empty()) return preview;
  if (command.act == Act::rewind) preview.to = std::min(preview.from, command.sequence - 1);
  if (command.act == Act::skip) preview.to = state_->skip_to(*held, act);
  return preview;
}

}  // namespace cape::scheduler
