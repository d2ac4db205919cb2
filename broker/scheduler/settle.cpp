// What a subject needs once its lanes are as they are: a save, a ping, to be let go.
#include <utility>

#include "broker/scheduler/record.hpp"
#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t save_retry_after_ns = 100 * ns_per_ms;
constexpr SubjectId settled_ids_max = SubjectId{1}
                                      << 32;  // 512 MiB of bits; ids are dense and never get there

}  // namespace

void Scheduler::State::apply(const CursorSaved& input) {
  Subject* s = subjects.find(input.subject);
  if (s == nullptr || s->save_out == 0 || s->save_out != input.version) return;
  s->save_out = 0;
  s->saved_latest = s->saving_latest;
  s->saved_behind = s->saving_behind;
  s->inbox_done = std::max(s->inbox_done, std::exchange(s->inbox_saving, 0));
  for (Lane& lane : s->lanes) {
    lane.saved_cursor = lane.saving_cursor;
    if (lane.left != Left::unsaved || !s->saved_behind) continue;
    lane.left = Left::saved;
    queues.note_left_saved(lane.lambda);
  }
  end_acts(*s, input.version);
  touch(*s);
}

void Scheduler::State::apply(const CursorSaveFailed& input) {
  Subject* s = subjects.find(input.subject);
  if (s == nullptr || s->save_out == 0 || s->save_out != input.version) return;
  s->save_out = 0;
  s->inbox_saving = 0;
  forget_save_of_acts(*s, input.version);
  s->dirty = s->save_failed = true;
  failed_saves.push_back(s->slot);
  if (save_retry_ns == 0) save_retry_ns = now.boot_ns + save_retry_after_ns;  // so that a Tick comes
}

void Scheduler::State::apply(const Tick&) {
  save_retry_ns = 0;
  for (SubjectSlot slot : std::exchange(failed_saves, {})) {
    Subject& s = subjects.at(slot);  // dirty, so it has not left
    s.save_failed = false;
    touch(s);
  }
}

Scheduler::State::Resting Scheduler::State::resting(const Timer& timer) {
  Subject* s = subjects.find(timer.subject);
  if (s == nullptr) return {};
  Lane& lane = s->lanes[timer.lane];
  for (std::size_t i = 0; i < lane.size(); ++i)
    if (lane[i].rest != Rest::none && lane[i].timer_ns == timer.at_ns) return {s, &lane, &lane[i]};
  return {};
}

void Scheduler::State::fire_timers() {
  while (const Timer* first = timers.first()) {
    if (first->at_ns > now.boot_ns) return;
    const Resting over = resting(timers.pop());
    if (over.stretch == nullptr) continue;
    clear_timer(*over.lane, *over.stretch);
    over.stretch->next_try_wall_ns = 0;  // over, whatever the wall clock does from here on
    touch(*over.subject);
  }
}

void Scheduler::State::drop_dead_timers() {
  while (const Timer* first = timers.first()) {
    if (resting(*first).stretch != nullptr) return;
    timers.pop();
  }
}

void Scheduler::State::settle(Subject& s) {
  perform_acts(s);
  for (Lane& lane : s.lanes)
    if (lane.late && lane.late->told.empty()) lane.late.reset();
  const bool has_needs = layout_of(s).has_needs;
  if (has_needs) settle_needs(s);
  ask_for_more(s);
  if (has_needs) drop_waiting_if_full(s);
  save(s);
  s.touched = false;
  if (can_leave(s)) return leave(s);
  if (!has_needs) return;
  for (const TopologyPlace& place : layout_of(s).topologies)
    if (place.needed_count > 0) note_idle(s, place);
}

void Scheduler::State::ask_for_more(Subject& s) {
  bool wanted = needs_start(s);
  for (Lane& lane : s.lanes)
    for (std::size_t i = 0; i < lane.size(); ++i) {
      if (lane.left != Left::no || !wants_events(s, lane, lane[i])) continue;
      const bool reads_ahead = !may_issue(lane, lane[i]);
      if (queues.has_room(lane.lambda, reads_ahead))
        wanted = true;
      else if (!lane.has_jobs())
        leave_behind(s, lane);  // reading on would bring what we would have to drop
    }
  if (!wanted || s.gone || s.ping_out || s.more_answers) return;
  s.ping_out = true;
  actions.push_back(PingAgain{.subject = s.id, .domain = s.domain, .name = s.name});
}

void Scheduler::State::save(Subject& s) {
  if (!s.dirty || s.save_out != 0 || s.save_failed) return;
  s.dirty = false;
  s.save_out = ++save_version;
  s.saving_latest = s.latest;
  s.saving_behind = s.is_behind();
  s.inbox_saving = s.inbox_wanted > s.inbox_done ? s.inbox_wanted : 0;
  for (Lane& lane : s.lanes) lane.saving_cursor = lane.cursor();
  SaveCursor save{.subject = s.id,
                  .domain = s.domain,
                  .name = s.name,
                  .version = s.save_out,
                  .behind = s.saving_behind,
                  .info = make_record(s, plan, layout_of(s)),
                  .inbox_generation = s.inbox_saving};
  put_acts(s, save);
  actions.push_back(std::move(save));
}

bool Scheduler::State::can_leave(const Subject& s) const {
  if (s.dirty || s.save_out != 0 || s.ping_out || s.more_answers) return false;
  if (s.control && !s.control->acts.empty()) return false;
  return std::ranges::all_of(s.lanes, [](const Lane& lane) { return lane.idle(); });
}

void Scheduler::State::leave(Subject& s) {
  const bool clean = std::ranges::all_of(s.lanes, [](const Lane& lane) {
    return lane.earlier.empty() && lane.open.repeat_to <= lane.open.cursor;
  });
  if (s.id < settled_ids_max) {
    if (s.id >= settled.size())
      settled.resize(std::max<std::size_t>(s.id + 1, settled.size() * 2), epoch == 1);
    settled[s.id] = clean && (!s.unread || settled[s.id]);  // an unread one leaves what was known as it was
  }
  for (Lane& lane : s.lanes) clear_left(lane);
  if (layout_of(s).has_needs) let_go_of_outputs(s);
  let_go.push_back(s.id);
  subjects.erase(s.slot);
}

}  // namespace cape::scheduler
