// What an answer of the source changes.
#include <fmt/format.h>

#include "broker/scheduler/backoff.hpp"
#include "broker/scheduler/record.hpp"
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

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
  s.ping_out = false;
  s.more_answers = !request.last;
  if (request.inbox_generation > s.inbox_wanted) s.inbox_wanted = request.inbox_generation;
  if (s.inbox_wanted > std::max(s.inbox_done, s.inbox_saving)) s.dirty = true;
  s.gone = request.gone;
  for (Lane& lane : s.lanes) {
    clear_left(lane);
    rest_until_next_try(s, lane);
  }
  if (request.gone) return;
  const Sequence latest = latest_of(request);
  if (request.unreadable.empty() && went_back(s, latest)) return park_went_back(s, latest);
  if (latest > s.latest) {
    s.latest = latest;
    s.dirty = true;
  }
  // Nothing is proven above latest: the source may give the next sequence to an event that is yet to come.
  const Sequence proven_to = std::min(request.block->proven_to, latest);
  for (Lane& lane : s.lanes) serve(s, lane, request, proven_to);
  if (!request.unreadable.empty()) park_unreadable(s, request);
}

Subject& Scheduler::State::hold(const SchedulingRequest& request) {
  if (Subject* held = subjects.find(request.subject)) return *held;
  Subject& s = subjects.add(request.subject);
  s.domain = request.domain;
  s.name = request.name;
  load_record(s, plan, layout_of(s), request.stored ? &*request.stored : nullptr);
  begin_doubts(s, latest_of(request));
  return s;
}

// After a restart, or when there was no room for the timer, the stored time counts.
void Scheduler::State::rest_until_next_try(Subject& s, Lane& lane) {
  const std::int64_t left_ns = lane.next_try_wall_ns - now.wall_ns;
  if (left_ns <= 0 || lane.attempts == 0 || lane.parked || !lane.idle()) return;
  // The wall clock may have been set back: wait no longer than the policy ever would.
  const std::int64_t rest_ns = std::min(left_ns, spec_of(lane).retry.max_ms * ns_per_ms);
  set_timer(s, lane, Rest::backing_off, now.boot_ns + rest_ns);
}

// Which events may have been started before: after a broker start all that exist when their subject is first
// seen again, for a cursor may have been lost with the process.
void Scheduler::State::begin_doubts(Subject& s, Sequence latest) {
  const bool known = epoch == 1 || (s.id < settled.size() && settled[s.id]);
  for (Lane& lane : s.lanes) {
    lane.repeat_to = known ? lane.cursor : std::max(lane.cursor, latest);
    if (lane.attempts > 0) lane.repeat_to = std::max(lane.repeat_to, lane.failed_sequence);
  }
}

// A cursor above the latest ever told was only put there by a start position: nothing went back below it.
bool Scheduler::State::went_back(const Subject& s, Sequence latest) const {
  return std::ranges::any_of(s.lanes, [&](const Lane& lane) {
    return latest < lane.saved_cursor && lane.saved_cursor <= s.saved_latest;
  });
}

void Scheduler::State::park_went_back(Subject& s, Sequence latest) {
  for (const TopologyPlace& place : layout_of(s).topologies) {
    bool parked_one = false;
    for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
      Lane& lane = s.lanes[i];
      if (lane.parked) continue;
      drop_waiting(lane);
      clear_timer(lane);
      lane.parked = parked_one = true;
      lane.reason = fmt::format("source_went_back: the source's latest is {}, but {} was processed", latest,
                                lane.cursor);
      s.dirty = true;
      ++counters.parked;
    }
    if (!parked_one) continue;
    const Lane& first = s.lanes[place.first_lane];
    actions.push_back(Notice{.kind = Notice::Kind::source_went_back,
                             .topology = place.topology,
                             .lambda = first.lambda,
                             .subject = s.name,
                             .sequence = latest,
                             .outcome = {OutcomeKind::failed, first.reason}});
  }
}

// Lanes that stand right before the event and may go on to it. One whose job still runs hears of it when it
// asks again, so the job's own trouble is not covered up.
void Scheduler::State::park_unreadable(Subject& s, const SchedulingRequest& request) {
  const Sequence before = request.block->proven_to;
  for (Lane& lane : s.lanes) {
    if (lane.parked || lane.job != 0 || lane.waiting || lane.cursor != before || limit(s, lane) <= before)
      continue;
    clear_timer(lane);
    lane.parked = true;
    lane.failed_sequence = before + 1;
    lane.reason = request.unreadable;
    s.dirty = true;
    ++counters.parked;
    notice_failure(s, lane, Notice::Kind::unreadable, {OutcomeKind::limit, request.unreadable});
  }
}

// The interval serves the lane only if it contains position + 1.
void Scheduler::State::serve(Subject& s, Lane& lane, const SchedulingRequest& request, Sequence proven_to) {
  if (lane.left != Left::no) return;
  const bool may_take = is_open(lane) || (lane.rest == Rest::rereading && !lane.waiting && !lane.parked);
  if (!may_take || lane.position() >= std::min(s.latest, limit(s, lane))) return;
  const EventBlock& block = *request.block;
  const Sequence next = lane.position() + 1;
  const Sequence end = std::min(proven_to, limit(s, lane));
  if (next < block.proven_from || next > end) {
    if (request.last) note_unserved(s, lane);
    return;
  }
  lane.unserved = 0;
  clear_timer(lane);
  const std::size_t first = block.first_after(next - 1);
  const bool has_events = first < block.entries.size() && block.entries[first].sequence <= end;
  if (has_events) return take_block(s, lane, request, end);
  if (lane.job != 0)
    lane.job_end = end;  // nothing lies between the job and there
  else
    advance(s, lane, end);
}

// A source that tells of events and does not give them must not make us spin.
void Scheduler::State::note_unserved(Subject& s, Lane& lane) {
  if (lane.rest != Rest::none) return;
  if (lane.unserved < UINT8_MAX) ++lane.unserved;
  if (lane.unserved <= unserved_free) return;
  set_timer(s, lane, Rest::rereading, now.boot_ns + pause_ns(lane.unserved - unserved_free + 1u));
}

void Scheduler::State::take_block(Subject& s, Lane& lane, const SchedulingRequest& request, Sequence end) {
  const std::size_t bytes = bytes_of(*request.block);
  const bool reads_ahead = lane.job != 0;
  if (!queues.admits(lane.lambda, bytes, reads_ahead)) {
    if (!reads_ahead) leave_behind(s, lane);
    return;
  }
  queues.add_bytes(lane.lambda, bytes);
  lane.waiting_first = static_cast<std::uint32_t>(request.block->first_after(lane.position()));
  lane.waiting = request.block;
  lane.waiting_end = end;
  lane.waiting_ping_ns = request.ping_ns;
  if (!reads_ahead) offer(s, lane);
}

}  // namespace cape::scheduler
