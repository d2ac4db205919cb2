// What an answer of the source changes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/scheduler/backoff.hpp"
#include "broker/scheduler/record.hpp"
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

// What a source says of a subject that it does not know comes without its record.
bool tells_what_is_stored(const SchedulingRequest& request) {
  return !request.gone;
}
bool tells_what_is_stored(const Command&) {
  return true;
}

// Reads in a row that may miss a lane before it has to wait: one read may take several answers.
constexpr std::uint8_t unserved_free = 8;

// A source that read `latest` before an event came may tell of that event all the same.
Sequence latest_of(const SchedulingRequest& request) {
  const auto& entries = request.block->entries;
  return entries.empty() ? request.latest : std::max(request.latest, entries.back().sequence);
}

}  // namespace

void Scheduler::State::apply(const SchedulingRequest& request) {
  CAPE_CHECK(request.block != nullptr && request.domain < layouts.size() && request.subject != 0);
  Subject& s = hold(request);
  touch(s);
  if (s.unread && !request.gone) {
    begin_doubts(s, latest_of(request));
    s.unread = !request.unreadable.empty();  // that one does not tell what lies behind it
  }
  s.ping_out = s.read_failed = false;
  s.more_answers = !request.last;
  if (request.inbox_generation > s.inbox_wanted) s.inbox_wanted = request.inbox_generation;
  if (s.inbox_wanted > std::max(s.inbox_done, s.inbox_saving)) s.dirty = true;
  s.gone = request.gone;
  for (Lane& lane : s.lanes) {
    if (request.first) clear_left(lane);  // else what this read brought in vain would be asked for again
    for (std::size_t i = 0; i < lane.size(); ++i) rest_until_next_try(s, lane, lane[i]);
  }
  if (request.gone) return forget_latest(s);
  const Sequence latest = latest_of(request);
  if (request.unreadable.empty() && went_back(s, latest)) return park_went_back(s, latest);
  if (latest > s.latest) {
    s.latest = latest;
    s.dirty = true;
  }
  // Nothing is proven above latest: the source may give the next sequence to an event that is yet to come.
  const Sequence proven_to = std::min(request.block->proven_to, latest);
  note_given(s, *request.block, proven_to);
  for (Lane& lane : s.lanes) serve(s, lane, request, proven_to);
  if (!request.unreadable.empty()) park_unreadable(s, request);
}

void Scheduler::State::apply(const ReadFailed& input) {
  Subject* s = subjects.find(input.subject);
  if (s == nullptr) return;
  s->read_failed = true;
  touch(*s);
}

template <class NamesSubject>
Subject& Scheduler::State::hold(const NamesSubject& input) {
  if (Subject* held = subjects.find(input.subject)) {
    if (tells_what_is_stored(input)) place_late(*held, input.stored ? &*input.stored : nullptr);
    return *held;
  }
  Subject& s = subjects.add(input.subject);
  s.domain = input.domain;
  s.name = input.name;
  load_record(s, plan, layout_of(s), input.stored ? &*input.stored : nullptr, baseline_runs);
  place_in_slots(s);
  if (layout_of(s).has_needs) send_back_loaded(s);
  return s;
}
template Subject& Scheduler::State::hold(const SchedulingRequest&);
template Subject& Scheduler::State::hold(const Command&);

// After a restart, or when there was no room for the timer, the stored time counts.
void Scheduler::State::rest_until_next_try(Subject& s, Lane& lane, Stretch& stretch) {
  const std::int64_t left_ns = stretch.next_try_wall_ns - now.wall_ns;
  if (left_ns <= 0 || stretch.attempts == 0 || stretch.parked || !stretch.idle()) return;
  // The wall clock may have been set back: wait no longer than the policy ever would.
  const std::int64_t rest_ns = std::min(left_ns, spec_of(lane).retry.max_ms * ns_per_ms);
  set_timer(s, lane, stretch, Rest::backing_off, now.boot_ns + rest_ns);
}

// Which events may have been started before: after a broker start all that exist when their subject is first
// seen again, for a cursor may have been lost with the process.
void Scheduler::State::begin_doubts(Subject& s, Sequence latest) {
  const bool known = s.id < settled.size() ? settled[s.id] : epoch == 1;
  for (Lane& lane : s.lanes) {
    Stretch& all = lane.open;
    all.repeat_to = std::max({all.repeat_to, all.cursor, known ? 0 : std::max(latest, s.latest)});
    if (all.attempts > 0) all.repeat_to = std::max(all.repeat_to, all.failed_sequence);
  }
}

// A cursor above the latest ever told was only put there by a start position: nothing went back below it.
bool Scheduler::State::went_back(const Subject& s, Sequence latest) const {
  return std::ranges::any_of(s.lanes, [&](const Lane& lane) {
    return latest < lane.saved_cursor && lane.saved_cursor <= s.saved_latest;
  });
}

void Scheduler::State::park_went_back(Subject& s, Sequence latest) {
  s.given.clear();  // whatever it gave is no word of it any more
  for (const TopologyPlace& place : layout_of(s).topologies) {
    bool parked_one = false;
    for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i)
      parked_one |= park_went_back(s, s.lanes[i], latest);
    if (!parked_one) continue;
    const Lane& first = s.lanes[place.first_lane];
    actions.push_back(Notice{.kind = Notice::Kind::source_went_back,
                             .topology = place.topology,
                             .lambda = first.lambda,
                             .subject = s.name,
                             .sequence = latest,
                             .outcome = {OutcomeKind::failed, first.troubled().reason}});
  }
}

// Stretches that stand right before the event and may go on to it. One whose job still runs hears of it when
// it asks again, so the job's own trouble is not covered up.
void Scheduler::State::park_unreadable(Subject& s, const SchedulingRequest& request) {
  for (Lane& lane : s.lanes)
    for (std::size_t i = 0; i < lane.size(); ++i)
      if (stands_before_unreadable(s, lane, lane[i], request)) park_unreadable(s, lane, lane[i], request);
}

bool Scheduler::State::stands_before_unreadable(const Subject& s, const Lane& lane, const Stretch& stretch,
                                                const SchedulingRequest& request) const {
  const Sequence before = request.block->proven_to;
  return stretch.job == 0 && !stretch.waiting && stretch.cursor == before &&
         end_of(s, lane, stretch) > before;
}

void Scheduler::State::park_unreadable(Subject& s, Lane& lane, Stretch& stretch,
                                       const SchedulingRequest& request) {
  clear_timer(lane, stretch);
  stretch.parked = true;
  stretch.failed_sequence = stretch.cursor + 1;
  if (stretch.failing_since_wall_ns == 0) stretch.failing_since_wall_ns = now.wall_ns;
  stretch.reason = shortened(request.unreadable, reason_bytes_max);
  drop_waiting_behind(lane, stretch);
  s.dirty = true;
  ++counters.parked;
  notice_failure(s, lane, stretch, Notice::Kind::unreadable, {OutcomeKind::limit, request.unreadable});
  if (lane.is_late(stretch)) park_late(lane);
}

// No event of the lane is at fault, so all of it is parked, by its open stretch: also one with an event that
// is parked, which would go on as soon as that is skipped.
bool Scheduler::State::park_went_back(Subject& s, Lane& lane, Sequence latest) {
  if (lane.unplaced || lane.is_stopped()) return false;
  drop_all_waiting(lane);
  for (std::size_t i = 0; i < lane.size(); ++i) clear_timer(lane, lane[i]);
  lane.open.parked = true;
  lane.open.failed_sequence = 0;
  lane.open.attempts = 0;
  if (lane.open.failing_since_wall_ns == 0) lane.open.failing_since_wall_ns = now.wall_ns;
  lane.open.reason =
      fmt::format("source_went_back: the source's latest is {}, but {} was processed", latest, lane.cursor());
  s.dirty = true;
  ++counters.parked;
  return true;
}

// Serving a stretch may end it, and may add stretches behind it.
void Scheduler::State::serve(Subject& s, Lane& lane, const SchedulingRequest& request, Sequence proven_to) {
  for (std::size_t i = 0; i < lane.earlier.size();) {
    const std::size_t before = lane.earlier.size();
    serve(s, lane, lane.earlier[i], request, proven_to);
    if (lane.earlier.size() >= before) ++i;
  }
  serve(s, lane, lane.open, request, proven_to);
  if (lane.late) serve(s, lane, lane.late->stretch, request, proven_to);
}

// The interval serves the stretch only if it contains position + 1.
void Scheduler::State::serve(Subject& s, Lane& lane, Stretch& stretch, const SchedulingRequest& request,
                             Sequence proven_to) {
  if (lane.left != Left::no) return;
  const bool may_take = takes_events(stretch) || (stretch.rest == Rest::rereading && !stretch.waiting);
  const Sequence most = end_of(s, lane, stretch);
  if (!may_take || stretch.position() >= std::min(s.latest, most)) return;
  if (runs_latest(lane)) return serve_latest(s, lane, request, proven_to, most);
  const EventBlock& block = *request.block;
  const Sequence next = stretch.position() + 1;
  Sequence end = std::min(proven_to, most);
  if (next < block.proven_from || next > end) {
    if (request.asked_for(next)) note_unserved(s, lane, stretch);
    return;
  }
  if (!layout_of(s).needs[lane.index].empty()) end = end_of_inputs(s, lane, block, next, end);
  if (lane.outputs && !lane.passed.empty()) end = pass_over_skipped(lane, block, next, end);
  if (next > end) return;
  stretch.unserved = 0;
  clear_timer(lane, stretch);
  const std::size_t first = block.first_after(next - 1);
  const bool has_events = first < block.entries.size() && block.entries[first].sequence <= end &&
                          !(lane.outputs && was_skipped(lane, block.entries[first].sequence));
  if (has_events) return take_block(s, lane, stretch, request, next, end);
  if (stretch.job != 0)
    stretch.job_end = end;  // nothing lies between the job and there
  else
    advance(s, lane, stretch, end);
}

// A source that tells of events and does not give them must not make us spin.
void Scheduler::State::note_unserved(Subject& s, Lane& lane, Stretch& stretch) {
  if (stretch.rest != Rest::none) return;
  if (stretch.unserved < UINT8_MAX) ++stretch.unserved;
  if (stretch.unserved <= unserved_free) return;
  set_timer(s, lane, stretch, Rest::rereading, now.boot_ns + pause_ns(stretch.unserved - unserved_free + 1u));
}

void Scheduler::State::take_block(Subject& s, Lane& lane, Stretch& stretch, const SchedulingRequest& request,
                                  Sequence first, Sequence end) {
  const std::size_t bytes = bytes_of(*request.block);
  const bool reads_ahead = !may_issue(lane, stretch);
  if (!queues.admits(lane.lambda, bytes, reads_ahead)) {
    lane.refused = lane.has_jobs();
    if (!lane.refused) leave_behind(s, lane);
    return;
  }
  queues.add_bytes(lane.lambda, bytes);
  // The line comes by after all: a job that had passed them by failed. None of these runs: it is above the
  // cursor. What lies below, for a line that runs again, is told until it has run: the line may be let off.
  if (lane.late && !lane.is_late(stretch)) forget_late(s, lane, std::max(first, lane.reached + 1), end);
  stretch.waiting_first = static_cast<std::uint32_t>(request.block->first_after(first - 1));
  stretch.waiting = request.block;
  stretch.waiting_end = end;
  stretch.waiting_ping_ns = request.ping_ns;
  if (reads_ahead) return;
  offer(s, lane);
  issue_ready(lane.lambda);
}

}  // namespace cape::scheduler
