// Which of two versions of a lambda's plugin a subject has: the slots of a canary.
//
// A lane is in the slot that Lane::lambda names, and all that is kept by lambda (queue, bytes that wait,
// timers, breaker, credit) is that slot's. So nothing looks at versions when a job is issued.
#include <string_view>

#include "broker/scheduler/backoff.hpp"
#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {
namespace {

// FNV-1a, mixed: the same on every machine and after every start, so that a subject keeps its version.
std::uint32_t bucket_of(std::string_view subject) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : subject) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<std::uint32_t>(splitmix64(hash) % split_whole);
}

}  // namespace

// Whichever of the two slots `lambda` is. A greater share keeps the subjects that a smaller one had.
LambdaIndex Scheduler::State::slot_of(const Subject& s, LambdaIndex lambda) const {
  const LambdaSpec& spec = plan.lambdas[lambda];
  if (!spec.twin) return lambda;
  const LambdaIndex first = spec.is_twin ? *spec.twin : lambda, second = spec.is_twin ? lambda : *spec.twin;
  const Split& split = splits[first];
  const bool tries = split.share > 0 && !s.name.empty() && bucket_of(s.name) < split.share;
  return tries != split.stable_in_twin ? second : first;
}

void Scheduler::State::place_in_slots(Subject& s) const {
  for (Lane& lane : s.lanes) lane.lambda = slot_of(s, lane.lambda);
}

void Scheduler::State::apply(const Split& split) {
  CAPE_CHECK(split.lambda < plan.lambdas.size() && split.share <= split_whole);
  const LambdaSpec& spec = plan.lambdas[split.lambda];
  CAPE_CHECK(spec.twin && !spec.is_twin);
  splits[split.lambda] = split;
  subjects.for_each([&](Subject& s) {
    if (s.domain != plan.topologies[spec.topology].domain) return;
    Lane& lane = queues.lane_of(s, split.lambda);
    move_to_slot(s, lane);
    offer(s, lane);
  });
  issue_ready(split.lambda);
  issue_ready(*spec.twin);
}

void Scheduler::State::move_to_slot(Subject& s, Lane& lane) {
  const LambdaIndex to = slot_of(s, lane.lambda);
  lane.moves = to != lane.lambda && lane.has_jobs();
  if (lane.moves) queues.remove(lane);  // of a pipelined one, which could be issued more
  if (lane.moves || to == lane.lambda) return;
  queues.remove(lane);
  bool is_full = false;  // the slot that it comes to
  for (std::size_t i = 0; i < lane.size(); ++i) is_full |= !carry_over(lane, lane[i], to);
  if (lane.left == Left::unsaved) {
    queues.note_left_saved(lane.lambda);
    queues.note_left(to, true);
  }
  lane.lambda = to;
  touch(s);
  if (is_full) leave_behind(s, lane);
}

// False: it had something for which there is no room, so that it has it no more.
bool Scheduler::State::carry_over(Lane& lane, Stretch& stretch, LambdaIndex to) {
  bool fits = true;
  if (stretch.waiting) {
    const std::size_t bytes = bytes_of(*stretch.waiting);
    fits = queues.admits(to, bytes, false);
    if (fits) queues.add_bytes(to, bytes);
    fits ? queues.remove_bytes(lane.lambda, bytes) : drop_waiting(lane, stretch);
  }
  if (stretch.rest == Rest::none) return fits;
  if (!queues.has_timer_room(to)) return clear_timer(lane, stretch), false;
  queues.remove_timer(lane.lambda);
  queues.add_timer(to);
  return fits;
}

void Scheduler::State::note_outcome(const Lane& lane, const wire::JobStatus& status, const Verdict& verdict) {
  const bool failed = verdict.what == FailureClass::attempt || verdict.what == FailureClass::park;
  if (verdict.events_done == 0 && !failed) return;
  const std::int64_t events = std::int64_t{verdict.events_done} + (failed ? 1 : 0);
  const bool timed = status.first_start_ns > 0 && status.end_ns >= status.first_start_ns;
  outcomes.push_back({.lambda = lane.lambda,
                      .events_done = verdict.events_done,
                      .failed = failed,
                      .event_ns = timed ? (status.end_ns - status.first_start_ns) / events : 0});
}

}  // namespace cape::scheduler
