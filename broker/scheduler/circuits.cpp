// What the breaker of a lambda lets through, and what it hears of how jobs end. See core/breaker.hpp.
#include <fmt/format.h>

#include <utility>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

// How often one subject that failed probes in a row, if it is ready: what fails a few times and then succeeds
// is through after as many probes, and what fails for ever keeps the others from trying no longer than that.
constexpr std::uint32_t probes_of_one = 4;

}  // namespace

bool Scheduler::State::is_fresh(Lane& lane) const {
  const Stretch* ready = first_ready(lane);
  return ready != nullptr && ready->attempts == 0;
}

Subject* Scheduler::State::next_in_line(LambdaIndex lambda) {
  const Breaker& breaker = circuits[lambda].breaker;
  if (!breaker.is_open()) {
    // Those that it held back take turns with the others, so that neither waits for the other's end.
    Subject* ready = queues.front(lambda);
    Subject* held = queues.front_held(lambda);
    if (ready == nullptr || held == nullptr) return ready ? ready : held;
    return circuits[lambda].held_turn ? held : ready;
  }
  Subject* ready = queues.front(lambda);
  if (ready && breaker.admits(is_fresh(queues.lane_of(*ready, lambda)), now.boot_ns)) return ready;
  Subject* held = next_of_failed(lambda);
  return held && breaker.admits(is_fresh(queues.lane_of(*held, lambda)), now.boot_ns) ? held : nullptr;
}

// While it is open those that failed stand apart: they must not wait behind fresh ones for these to go.
void Scheduler::State::hold_failed(Subject& s, Lane& lane) {
  if (lane.queued && !lane.held && !is_fresh(lane)) queues.hold(s, lane);
}

void Scheduler::State::hold_failed(LambdaIndex lambda) {
  for (Subject* s = queues.front(lambda); s != nullptr;) {
    Lane& lane = queues.lane_of(*s, lambda);
    Subject* next = queues.after(lane);
    hold_failed(*s, lane);
    s = next;
  }
}

// The one that probed last, for as often as it may; else whichever has waited longest.
Subject* Scheduler::State::next_of_failed(LambdaIndex lambda) {
  const Circuit& circuit = circuits[lambda];
  Subject* again = circuit.probed < probes_of_one ? subjects.find(circuit.probing) : nullptr;
  if (again) {
    Lane& lane = queues.lane_of(*again, lambda);
    if (lane.lambda == lambda && lane.queued && !is_fresh(lane)) return again;
  }
  return queues.front_held(lambda);
}

void Scheduler::State::note_probe(const Subject& s, LambdaIndex lambda, JobId job, bool fresh) {
  Circuit& circuit = circuits[lambda];
  if (!circuit.breaker.is_open()) return;
  circuit.breaker.begin_probe(job, fresh, now.boot_ns);
  if (fresh) return;
  circuit.probed = std::exchange(circuit.probing, s.id) == s.id ? circuit.probed + 1 : 1;
}

// A job that got some events done and failed at the next is a success first: the lambda can do its work.
void Scheduler::State::note_end(const Subject& s, const Lane& lane, const Job& job, const Verdict& verdict) {
  Circuit& circuit = circuits[lane.lambda];
  const bool was_open = circuit.breaker.is_open();
  const bool failed = verdict.what == FailureClass::attempt;
  if (verdict.events_done > 0 || verdict.what == FailureClass::done) circuit.breaker.on_success();
  if (failed) {
    circuit.reason = fmt::format("{}: {}", name_of(verdict.outcome.kind), verdict.outcome.reason);
    circuit.breaker.on_failure(s.id, job.id, now.boot_ns);
  }
  circuit.breaker.on_end(job.id);
  if (was_open == circuit.breaker.is_open()) return;
  circuit.probing = 0;
  circuit.probed = 0;
  if (circuit.breaker.is_open()) hold_failed(lane.lambda);
  actions.push_back(Notice{.kind = was_open ? Notice::Kind::circuit_closed : Notice::Kind::circuit_opened,
                           .topology = plan.lambdas[lane.lambda].topology,
                           .lambda = lane.lambda,
                           .subject = s.name,
                           .sequence = verdict.failed_sequence,
                           .outcome = verdict.outcome});
}

void Scheduler::State::issue_probes() {
  for (LambdaIndex lambda = 0; lambda < circuits.size(); ++lambda)
    if (circuits[lambda].breaker.is_open() && !queues.is_empty(lambda)) issue_ready(lambda);
}

// What is due already was tried in this step, and waits for something else.
std::optional<std::int64_t> Scheduler::State::next_probe_ns() const {
  std::optional<std::int64_t> next;
  for (LambdaIndex lambda = 0; lambda < circuits.size(); ++lambda) {
    const Breaker& breaker = circuits[lambda].breaker;
    if (!breaker.is_open() || queues.is_empty(lambda)) continue;
    for (const bool fresh : {true, false}) {
      const std::int64_t at = breaker.ready_ns(fresh);
      if (at > now.boot_ns && at != INT64_MAX) next = std::min(next.value_or(at), at);
    }
  }
  return next;
}

bool Scheduler::State::explain_circuit(const Lane& lane, Why& why) const {
  const Circuit& circuit = circuits[lane.lambda];
  if (!circuit.breaker.is_open()) return false;
  why.cause = Cause::circuit_open;
  why.detail =
      fmt::format("whatever the lambda is given fails, for {} s, the last time with {}; single jobs try it",
                  (now.boot_ns - circuit.breaker.opened_ns()) / ns_per_s, circuit.reason);
  why.attempt = lane.troubled().attempts;
  const std::int64_t ready_ns = circuit.breaker.ready_ns(why.attempt == 0);
  if (ready_ns > now.boot_ns && ready_ns != INT64_MAX) why.until_ns = ready_ns;
  return true;
}

CircuitView Scheduler::circuit(LambdaIndex lambda) const {
  const State::Circuit& circuit = state_->circuits[lambda];
  return {.open = circuit.breaker.is_open(),
          .times_opened = circuit.breaker.times_opened(),
          .probes = circuit.breaker.probes(),
          .reason = circuit.breaker.is_open() ? circuit.reason : ""};
}

}  // namespace cape::scheduler
