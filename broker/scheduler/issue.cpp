// Waiting blocks become jobs where there is credit.
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

// The next events of the waiting block: as many as a job takes, at least one.
template <class InputBytes>
EventRange cut(const Stretch& from, const TopologySpec& spec, std::uint64_t events_max,
               const InputBytes& input_bytes) {
  EventRange range{.block = from.waiting, .first = from.waiting_first, .count = 0};
  const auto& entries = from.waiting->entries;
  std::uint64_t bytes = 0;
  for (std::size_t i = from.waiting_first; i < entries.size() && entries[i].sequence <= from.waiting_end;
       ++i) {
    bytes += entries[i].payload_bytes + input_bytes(entries[i].sequence);
    if (range.count > 0 && (range.count >= events_max || bytes > spec.batch_bytes)) break;
    ++range.count;
  }
  return range;
}

bool has_events_after(const Stretch& from, const EventRange& range) {
  const auto& entries = from.waiting->entries;
  const std::size_t next = std::size_t{range.first} + range.count;
  return next < entries.size() && entries[next].sequence <= from.waiting_end;
}

}  // namespace

Stretch* Scheduler::State::first_ready(Lane& lane) const {
  // First, so that a line with no end of events does not keep it waiting for ever.
  if (lane.late && lane.late->stretch.waiting && may_issue(lane, lane.late->stretch))
    return &lane.late->stretch;
  for (std::size_t i = 0; i < lane.line_size(); ++i)
    if (lane[i].waiting && may_issue(lane, lane[i])) return &lane[i];
  return nullptr;
}

void Scheduler::State::offer(Subject& s, Lane& lane) {
  if (is_held(s, lane)) return drop_all_waiting(lane);
  if (!lane.queued && first_ready(lane) != nullptr) queues.push(s, lane);
  if (circuits[lane.lambda].breaker.is_open()) hold_failed(s, lane);
}

// A lane with more to issue goes behind the others: no subject takes all credit for itself.
void Scheduler::State::issue_ready(LambdaIndex lambda) {
  if (hosts.share_places()) {  // whose turn it is shows when all that the step brought is known
    places_wanted = true;
    return;
  }
  while (issue_next(lambda)) {
  }
}

bool Scheduler::State::issue_next(LambdaIndex lambda) {
  Subject* s = next_in_line(lambda);
  Host* host = s ? hosts.with_room(lambda) : nullptr;
  if (host == nullptr) return false;
  TopologyLimit& limit = limit_of(lambda);
  if (!limit.may_issue(now.boot_ns)) {
    limit.block();
    return false;
  }
  Lane& lane = queues.lane_of(*s, lambda);
  const bool fresh = is_fresh(lane);
  const bool has_room = !lane.outputs || has_output_room(*s, lane);
  circuits[lambda].held_turn = !lane.held;
  queues.remove(lane);
  if (!has_room) {
    wait_for_room(*s, lane);
    return true;
  }
  Stretch* ready = first_ready(lane);
  CAPE_CHECK(ready != nullptr);
  note_probe(*s, lambda, issue(*s, lane, *ready, *host), fresh);
  offer(*s, lane);
  return true;
}

void Scheduler::State::issue_limited() {
  for (TopologyIndex topology = 0; topology < limits.size(); ++topology) {
    if (!limits[topology].take_block(now.boot_ns)) continue;
    for (LambdaIndex lambda : lambdas_of[topology]) issue_ready(lambda);
  }
}

JobId Scheduler::State::issue(Subject& s, Lane& lane, Stretch& ready, Host& host) {
  // What it costs to keep an output counts, too.
  const std::uint64_t outputs_bytes_max = lane.outputs ? budget_of(lane).job_bytes_max : 0;
  const std::uint64_t events_max =
      lane.outputs
          ? std::min<std::uint64_t>(spec_of(lane).batch_events, outputs_bytes_max / LaneOutputs::entry_bytes)
          : spec_of(lane).batch_events;
  const bool has_inputs = !layout_of(s).needs[lane.index].empty();
  EventRange events = cut(ready, spec_of(lane), events_max,
                          [&](Sequence sequence) { return has_inputs ? input_bytes(s, lane, sequence) : 0; });
  const bool block_is_used_up = !has_events_after(ready, events);
  const Sequence end = block_is_used_up ? ready.waiting_end : events.last_sequence();
  const std::int64_t ping_ns = ready.waiting_ping_ns;
  ready.waiting_first += events.count;
  if (block_is_used_up) drop_waiting(lane, ready);
  Stretch& runs = is_pipelined(lane) && lane.is_open(ready) ? cut_off(lane, end) : ready;
  const Sequence first = events.first_sequence();
  std::vector<wire::JobInput> inputs = inputs_of(s, lane, events);
  const JobId id = jobs.add({.host = host.id,
                             .slot = s.slot,
                             .lane = lane.index,
                             .events = events,
                             .issued_ns = now.boot_ns,
                             .outputs_bytes_max = outputs_bytes_max});
  if (lane.outputs) reserve_outputs(s, lane, outputs_bytes_max);
  HostCredit& credit = host.credits[lane.lambda];
  ++credit.jobs_out;
  ++host.jobs_out;
  limit_of(lane.lambda).on_issue(events.count, now.boot_ns);
  ++counters.jobs_issued;
  runs.job = id;
  runs.job_end = end;
  actions.push_back(IssueJob{.host = host.id,
                             .job = id,
                             .lambda = lane.lambda,
                             .hash = credit.hash,
                             .subject = s.id,
                             .name = s.name,
                             .attempt = first == runs.failed_sequence ? runs.attempts : 0,
                             .may_repeat = first <= runs.repeat_to,
                             .late = lane.is_late(runs),
                             .ping_ns = ping_ns,
                             .events = std::move(events),
                             .outputs_bytes_max = outputs_bytes_max,
                             .inputs = std::move(inputs)});
  touch(s);
  return id;
}

// A pipelined lane's job gets the front of the open stretch for itself, up to `end`.
Stretch& Scheduler::State::cut_off(Lane& lane, Sequence end) {
  Stretch& open = lane.open;
  lane.earlier.reserve(pipelined_jobs_max);  // so that no reference to a stretch is lost here
  Stretch& front = lane.earlier.emplace_back();
  front.cursor = open.cursor;
  front.to = end;
  front.repeat_to = open.repeat_to;
  if (!open.parked && open.failed_sequence <= end) {
    front.failed_sequence = std::exchange(open.failed_sequence, 0);
    front.failed_ahead = open.failed_ahead;
    front.attempts = std::exchange(open.attempts, 0);
    front.next_try_wall_ns = std::exchange(open.next_try_wall_ns, 0);
    front.failing_since_wall_ns = std::exchange(open.failing_since_wall_ns, 0);
    front.reason = std::exchange(open.reason, {});
  }
  open.cursor = end;
  return front;
}

void Scheduler::State::drop_waiting(Lane& lane, Stretch& stretch) {
  if (!stretch.waiting) return;
  queues.remove_bytes(lane.lambda, bytes_of(*stretch.waiting));
  stretch.waiting.reset();
  if (lane.queued && first_ready(lane) == nullptr) queues.remove(lane);
}

// Events behind a parked one wait for the operator, at the source.
void Scheduler::State::drop_waiting_behind(Lane& lane, const Stretch& parked) {
  if (lane.is_late(parked)) return drop_waiting(lane, lane.late->stretch);
  for (std::size_t i = 0; i < lane.line_size(); ++i)
    if (lane[i].cursor >= parked.failed_sequence) drop_waiting(lane, lane[i]);
}

void Scheduler::State::drop_all_waiting(Lane& lane) {
  for (std::size_t i = 0; i < lane.size(); ++i) drop_waiting(lane, lane[i]);
}

// A limit was reached. The subject is saved as behind and leaves memory; a walk finds it again.
void Scheduler::State::leave_behind(Subject& s, Lane& lane) {
  if (lane.left != Left::no) return;
  drop_all_waiting(lane);
  const bool stored_so = s.saved_behind && s.save_out == 0;
  lane.left = stored_so ? Left::saved : Left::unsaved;
  if (!stored_so) s.dirty = true;
  queues.note_left(lane.lambda, !stored_so);
  touch(s);
}

void Scheduler::State::clear_left(Lane& lane) {
  if (lane.left == Left::unsaved) queues.note_left_saved(lane.lambda);
  lane.left = Left::no;
}

}  // namespace cape::scheduler
