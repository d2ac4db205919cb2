// What jobs come to: progress, attempts, parking.
#include <fmt/format.h>

#include "broker/scheduler/backoff.hpp"
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

// As the store takes it: what does not fit would keep the whole subject from being saved.
std::string reason_of(const Outcome& outcome) {
  if (outcome.reason.empty()) return name_of(outcome.kind);
  return shortened(fmt::format("{}: {}", name_of(outcome.kind), outcome.reason), reason_bytes_max);
}

}  // namespace

void Scheduler::State::apply(const Status& input) {
  const Job* found = jobs.find(input.status.job);
  if (found == nullptr || found->host != input.host) return note_stale(input);
  const Job job = jobs.take(input.status.job);
  Subject& s = subjects.at(job.slot);
  Lane& lane = s.lanes[job.lane];
  Stretch& stretch = lane.of_job(job.id);
  if (Host* host = hosts.find(job.host)) {
    --host->credits[lane.lambda].jobs_out;
    --host->jobs_out;
  }
  end_job(lane, job);
  const OutputBounds bounds{job.outputs_bytes_max, plan.lambdas[lane.lambda].output_bytes_max};
  const Verdict verdict = judge(job.events, input.status, bounds);
  stretch.job = 0;
  lane.refused = false;
  touch(s);
  note_end(s, lane, job, verdict);
  if (plan.lambdas[lane.lambda].twin) note_outcome(lane, input.status, verdict);
  ++counters.jobs_done;
  counters.events_done += verdict.events_done;
  if (verdict.events_done > 0) stretch.unstarted = 0;
  if (lane.outputs) take_outputs(s, lane, job, input.status, verdict.events_done);
  if (lane.late && lane.reached > 0 && !lane.is_late(stretch))
    forget_late_that_ran(s, lane, job.events, verdict.events_done);
  if (runs_latest(lane) && verdict.events_done > 0) note_passed_by(lane, stretch, job.events);
  if (verdict.what == FailureClass::done) {
    advance(s, lane, stretch, stretch.job_end);
  } else {
    if (verdict.events_done > 0) advance(s, lane, stretch, job.events[verdict.events_done - 1].sequence);
    // Nothing lies between: those that need it may come as far.
    if (lane.outputs && verdict.failed_sequence > 0) advance(s, lane, stretch, verdict.failed_sequence - 1);
    end_failed(s, lane, stretch, verdict);
  }
  const LambdaIndex ran_in = lane.lambda;
  if (lane.moves) move_to_slot(s, lane);
  offer(s, lane);
  issue_ready(lane.lambda);
  if (lane.lambda != ran_in) issue_ready(ran_in);  // its credit is free again
}

void Scheduler::State::note_stale(const Status& input) {
  ++counters.stale_statuses;
  actions.push_back(
      Notice{.kind = Notice::Kind::stale_status,
             .host = input.host,
             .sequence = input.status.done_to,
             .outcome = {input.status.end.kind, fmt::format("job {} is not out there", input.status.job)}});
}

void Scheduler::State::advance(Subject& s, Lane& lane, Stretch& stretch, Sequence to) {
  if (to <= stretch.cursor) return;
  const Sequence before = lane.cursor();
  stretch.cursor = to;
  if (!stretch.parked && stretch.failed_sequence <= to) {
    if (stretch.attempts > 0) s.dirty = true;
    stretch.failed_sequence = 0;
    stretch.failing_since_wall_ns = 0;
    stretch.attempts = 0;
    stretch.next_try_wall_ns = 0;
    stretch.reason.clear();
  }
  if (to >= stretch.to) {
    CAPE_CHECK(stretch.idle());
    if (lane.is_late(stretch)) return end_late(s, lane);
    lane.earlier.erase(lane.earlier.begin() + (&stretch - lane.earlier.data()));
  }
  if (lane.cursor() != before) s.dirty = true;
}

void Scheduler::State::end_failed(Subject& s, Lane& lane, Stretch& stretch, const Verdict& verdict) {
  drop_waiting(lane, stretch);  // it lies behind an event that has to come first
  stretch.repeat_to = std::max(stretch.repeat_to, verdict.may_have_run_to);
  if (stretch.parked || lane.is_stopped()) return;  // parked while the job ran: the first cause stays
  switch (verdict.what) {
    case FailureClass::done:
      return;
    case FailureClass::no_attempt:
      return come_back_unstarted(s, lane, stretch, verdict.outcome);
    case FailureClass::attempt:
      count_attempt(s, stretch, verdict.failed_sequence, verdict.outcome);
      return back_off(s, lane, stretch, verdict.outcome);
    case FailureClass::park:
      count_attempt(s, stretch, verdict.failed_sequence, verdict.outcome);
      return park(s, lane, stretch, verdict.outcome);
  }
}

void Scheduler::State::count_attempt(Subject& s, Stretch& stretch, Sequence sequence,
                                     const Outcome& outcome) {
  const bool again = stretch.failed_sequence == sequence;
  stretch.attempts = again && stretch.attempts < UINT32_MAX ? stretch.attempts + 1
                     : again                                ? stretch.attempts
                                                            : 1;
  stretch.failed_sequence = sequence;
  if (stretch.failing_since_wall_ns == 0) stretch.failing_since_wall_ns = now.wall_ns;
  stretch.failed_ahead = false;
  stretch.next_try_wall_ns = 0;
  stretch.reason = reason_of(outcome);
  stretch.unstarted = 0;
  s.dirty = true;
  ++counters.attempts_failed;
}

void Scheduler::State::back_off(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome) {
  const RetryPolicy& retry = spec_of(lane).retry;
  if (retry.park_after > 0 && stretch.attempts >= retry.park_after) return park(s, lane, stretch, outcome);
  const std::uint64_t random = random_of({.seed = plan.seed,
                                          .subject = s.id,
                                          .lambda = lane.lambda,
                                          .sequence = stretch.failed_sequence,
                                          .attempts = stretch.attempts});
  const std::int64_t delay_ns = backoff_ns(retry, stretch.attempts, random);
  stretch.next_try_wall_ns = now.wall_ns + delay_ns;
  set_timer(s, lane, stretch, Rest::backing_off, now.boot_ns + delay_ns);
  notice_failure(s, lane, stretch, Notice::Kind::attempt_failed, outcome);
}

void Scheduler::State::park(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome) {
  clear_timer(lane, stretch);
  stretch.parked = true;
  drop_waiting_behind(lane, stretch);
  s.dirty = true;
  ++counters.parked;
  notice_failure(s, lane, stretch, Notice::Kind::parked, outcome);
  if (lane.is_late(stretch)) park_late(lane);
}

// No attempt: tried again at once, but an event that keeps coming back has to wait a little.
void Scheduler::State::come_back_unstarted(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome) {
  if (stretch.attempts == 0) stretch.reason = reason_of(outcome);  // for people; not worth a save
  if (stretch.unstarted < UINT8_MAX) ++stretch.unstarted;
  const std::int64_t wait_ns = pause_ns(stretch.unstarted);
  if (wait_ns > 0) set_timer(s, lane, stretch, Rest::unstarted, now.boot_ns + wait_ns);
}

void Scheduler::State::set_timer(Subject& s, Lane& lane, Stretch& stretch, Rest rest, std::int64_t at_ns) {
  clear_timer(lane, stretch);
  if (!queues.has_timer_room(lane.lambda)) return leave_behind(s, lane);
  queues.add_timer(lane.lambda);
  stretch.rest = rest;
  stretch.timer_ns = at_ns;
  timers.add({.at_ns = at_ns, .subject = s.id, .lane = lane.index});
}

void Scheduler::State::clear_timer(const Lane& lane, Stretch& stretch) {
  if (stretch.rest == Rest::none) return;
  queues.remove_timer(lane.lambda);
  stretch.rest = Rest::none;
  stretch.timer_ns = 0;
}

void Scheduler::State::notice_failure(const Subject& s, const Lane& lane, const Stretch& stretch,
                                      Notice::Kind kind, const Outcome& outcome) {
  actions.push_back(Notice{.kind = kind,
                           .topology = plan.lambdas[lane.lambda].topology,
                           .lambda = lane.lambda,
                           .subject = s.name,
                           .sequence = stretch.failed_sequence,
                           .attempts = stretch.attempts,
                           .next_try_ns = stretch.timer_ns,
                           .outcome = outcome});
}

}  // namespace cape::scheduler
