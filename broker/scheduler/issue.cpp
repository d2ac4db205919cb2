// Waiting blocks become jobs where there is credit.
#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

// The next events of the lane's waiting block: as many as a job takes, at least one.
EventRange cut(const Lane& lane, const TopologySpec& spec) {
  EventRange range{.block = lane.waiting, .first = lane.waiting_first, .count = 0};
  const auto& entries = lane.waiting->entries;
  std::uint64_t bytes = 0;
  for (std::size_t i = lane.waiting_first; i < entries.size() && entries[i].sequence <= lane.waiting_end;
       ++i) {
    bytes += entries[i].payload_bytes;
    if (range.count > 0 && (range.count >= spec.batch_events || bytes > spec.batch_bytes)) break;
    ++range.count;
  }
  return range;
}

bool has_events_after(const Lane& lane, const EventRange& range) {
  const auto& entries = lane.waiting->entries;
  const std::size_t next = std::size_t{range.first} + range.count;
  return next < entries.size() && entries[next].sequence <= lane.waiting_end;
}

}  // namespace

void Scheduler::State::offer(Subject& s, Lane& lane) {
  queues.push(s, lane);
  issue_ready(lane.lambda);
}

void Scheduler::State::issue_ready(LambdaIndex lambda) {
  while (Subject* s = queues.front(lambda)) {
    Host* host = hosts.with_room(lambda);
    if (host == nullptr) return;
    Lane& lane = queues.lane_of(*s, lambda);
    queues.remove(lane);
    issue(*s, lane, *host);
  }
}

void Scheduler::State::issue(Subject& s, Lane& lane, Host& host) {
  EventRange events = cut(lane, spec_of(lane));
  const Sequence first = events.first_sequence();
  const JobId id = jobs.add({.host = host.id, .slot = s.slot, .lane = lane.index, .events = events});
  HostCredit& credit = host.credits[lane.lambda];
  ++credit.jobs_out;
  ++counters.jobs_issued;
  const bool block_is_used_up = !has_events_after(lane, events);
  lane.job = id;
  lane.job_end = block_is_used_up ? lane.waiting_end : events.last_sequence();
  lane.waiting_first += events.count;
  actions.push_back(IssueJob{.host = host.id,
                             .job = id,
                             .lambda = lane.lambda,
                             .hash = credit.hash,
                             .subject = s.id,
                             .name = s.name,
                             .attempt = first == lane.failed_sequence ? lane.attempts : 0,
                             .may_repeat = first <= lane.repeat_to,
                             .ping_ns = lane.waiting_ping_ns,
                             .events = std::move(events)});
  if (block_is_used_up) drop_waiting(lane);
  touch(s);
}

void Scheduler::State::drop_waiting(Lane& lane) {
  if (!lane.waiting) return;
  queues.remove(lane);
  queues.remove_bytes(lane.lambda, bytes_of(*lane.waiting));
  lane.waiting.reset();
}

// A limit was reached. The subject is saved as behind and leaves memory; a walk finds it again.
void Scheduler::State::leave_behind(Subject& s, Lane& lane) {
  if (lane.left != Left::no) return;
  drop_waiting(lane);
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
