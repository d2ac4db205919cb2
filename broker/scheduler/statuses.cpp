// What jobs come to: progress, attempts, parking.
#include <fmt/format.h>

#include "broker/scheduler/backoff.hpp"
#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

std::string reason_of(const Outcome& outcome) {
  return outcome.reason.empty() ? std::string(name_of(outcome.kind))
                                : fmt::format("{}: {}", name_of(outcome.kind), outcome.reason);
}

}  // namespace

void Scheduler::State::apply(const Status& input) {
  const Job* found = jobs.find(input.status.job);
  if (found == nullptr || found->host != input.host) return note_stale(input);
  const Job job = jobs.take(input.status.job);
  Subject& s = subjects.at(job.slot);
  Lane& lane = s.lanes[job.lane];
  if (Host* host = hosts.find(job.host)) --host->credits[lane.lambda].jobs_out;
  const Verdict verdict = judge(job.events, input.status);
  lane.job = 0;
  touch(s);
  ++counters.jobs_done;
  counters.events_done += verdict.events_done;
  if (verdict.events_done > 0) {
    lane.unstarted = 0;
    const bool all = verdict.what == FailureClass::done;
    advance(s, lane, all ? lane.job_end : job.events[verdict.events_done - 1].sequence);
  }
  if (verdict.what != FailureClass::done)
    end_failed(s, lane, verdict);
  else if (lane.waiting)
    queues.push(s, lane);
  issue_ready(lane.lambda);
}

void Scheduler::State::note_stale(const Status& input) {
  ++counters.stale_statuses;
  actions.push_back(
      Notice{.kind = Notice::Kind::stale_status,
             .host = input.host,
             .sequence = input.status.done_to,
             .outcome = {input.status.end.kind, fmt::format("job {} is not out there", input.status.job)}});
}

void Scheduler::State::advance(Subject& s, Lane& lane, Sequence to) {
  if (to <= lane.cursor) return;
  lane.cursor = to;
  s.dirty = true;
  if (lane.parked || lane.failed_sequence > to) return;
  lane.failed_sequence = 0;
  lane.attempts = 0;
  lane.next_try_wall_ns = 0;
  lane.reason.clear();
}

void Scheduler::State::end_failed(Subject& s, Lane& lane, const Verdict& verdict) {
  drop_waiting(lane);  // it lies behind an event that has to come first
  if (verdict.started) lane.repeat_to = std::max(lane.repeat_to, verdict.failed_sequence);
  if (lane.parked) return;  // parked while the job ran: the first cause stays
  switch (verdict.what) {
    case FailureClass::done:
      return;
    case FailureClass::no_attempt:
      return come_back_unstarted(s, lane, verdict.outcome);
    case FailureClass::attempt:
      count_attempt(s, lane, verdict.failed_sequence, verdict.outcome);
      return back_off(s, lane, verdict.outcome);
    case FailureClass::park:
      count_attempt(s, lane, verdict.failed_sequence, verdict.outcome);
      return park(s, lane, verdict.outcome);
  }
}

void Scheduler::State::count_attempt(Subject& s, Lane& lane, Sequence sequence, const Outcome& outcome) {
  const bool again = lane.failed_sequence == sequence;
  lane.attempts = again && lane.attempts < UINT32_MAX ? lane.attempts + 1 : again ? lane.attempts : 1;
  lane.failed_sequence = sequence;
  lane.next_try_wall_ns = 0;
  lane.reason = reason_of(outcome);
  lane.unstarted = 0;
  s.dirty = true;
  ++counters.attempts_failed;
}

void Scheduler::State::back_off(Subject& s, Lane& lane, const Outcome& outcome) {
  const RetryPolicy& retry = spec_of(lane).retry;
  if (retry.park_after > 0 && lane.attempts >= retry.park_after) return park(s, lane, outcome);
  const std::uint64_t random = random_of({.seed = plan.seed,
                                          .subject = s.id,
                                          .lambda = lane.lambda,
                                          .sequence = lane.failed_sequence,
                                          .attempts = lane.attempts});
  const std::int64_t delay_ns = backoff_ns(retry, lane.attempts, random);
  lane.next_try_wall_ns = now.wall_ns + delay_ns;
  set_timer(s, lane, Rest::backing_off, now.boot_ns + delay_ns);
  notice_failure(s, lane, Notice::Kind::attempt_failed, outcome);
}

void Scheduler::State::park(Subject& s, Lane& lane, const Outcome& outcome) {
  clear_timer(lane);
  lane.parked = true;
  s.dirty = true;
  ++counters.parked;
  notice_failure(s, lane, Notice::Kind::parked, outcome);
}

// No attempt: tried again at once, but an event that keeps coming back has to wait a little.
void Scheduler::State::come_back_unstarted(Subject& s, Lane& lane, const Outcome& outcome) {
  if (lane.attempts == 0) lane.reason = reason_of(outcome);  // for people; not worth a save
  if (lane.unstarted < UINT8_MAX) ++lane.unstarted;
  const std::int64_t wait_ns = pause_ns(lane.unstarted);
  if (wait_ns > 0) set_timer(s, lane, Rest::unstarted, now.boot_ns + wait_ns);
}

void Scheduler::State::set_timer(Subject& s, Lane& lane, Rest rest, std::int64_t at_ns) {
  clear_timer(lane);
  if (!queues.has_timer_room(lane.lambda)) return leave_behind(s, lane);
  queues.add_timer(lane.lambda);
  lane.rest = rest;
  lane.timer_ns = at_ns;
  timers.add({.at_ns = at_ns, .subject = s.id, .lane = lane.index});
}

void Scheduler::State::clear_timer(Lane& lane) {
  if (lane.rest == Rest::none) return;
  queues.remove_timer(lane.lambda);
  lane.rest = Rest::none;
  lane.timer_ns = 0;
}

void Scheduler::State::notice_failure(const Subject& s, const Lane& lane, Notice::Kind kind,
                                      const Outcome& outcome) {
  actions.push_back(Notice{.kind = kind,
                           .topology = plan.lambdas[lane.lambda].topology,
                           .lambda = lane.lambda,
                           .subject = s.name,
                           .sequence = lane.failed_sequence,
                           .attempts = lane.attempts,
                           .next_try_ns = lane.timer_ns,
                           .outcome = outcome});
}

}  // namespace cape::scheduler
