// The hosts of the simulation: where they run, what befalls them, and what events come to in them.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::size_t places_max = 3;
constexpr std::uint32_t children_max = 2;

// A host's own config may have the lambdas in another order.
LambdaIndex turned_round(const SchedulerPlan& all, LambdaIndex lambda) {
  return static_cast<LambdaIndex>(all.lambdas.size()) - 1 - lambda;
}

host::WorkerPlan worker_plan(std::size_t lambdas, std::uint32_t jobs_per_host) {
  host::WorkerPlan plan{.lambdas = {},
                        .jobs_per_child = std::max(1u, jobs_per_host / children_max),
                        .start_timeout_ns = 300 * ms,
                        .stop_timeout_ns = 200 * ms,
                        .cancel_grace_ns = 50 * ms,
                        .drain_timeout_ns = 400 * ms};
  plan.lambdas.assign(lambdas, {.children_max = children_max,
                                .timeout_ns = 300 * ms,
                                .timeout_max_ns = 900 * ms,
                                .probe_first_ns = 50 * ms,
                                .probe_max_ns = second});
  return plan;
}

}  // namespace

// ---- places

void Simulation::add_place() {
  const sim::PlaceId number = ++last_place_;
  places_[number].name = fmt::format("h{}", number);
  start_process(number);
}

// It waits until nothing of the one before is left.
void Simulation::start_process(sim::PlaceId number) {
  Place& place = places_[number];
  std::erase_if(place.orphans, [](const auto& child) { return child->is_gone(); });
  if (!place.orphans.empty()) return at(2 * ms, [this, number] { start_process(number); });
  ++place.starts;
  auto end = network_.host_end(number);
  network_.connect(number);
  place.process =
      std::make_unique<sim::Host>(fate_, *this, std::move(end), host_spec(place, number), met_.hosts);
}

sim::HostSpec Simulation::host_spec(const Place& place, sim::PlaceId number) {
  sim::HostSpec spec{
      .name = place.name,
      .home = number,
      .lambdas = {},
      .lambda_of = {},
      .plan = worker_plan(all_.lambdas.size() + config_.canaries.size(), options_.jobs_per_host),
      .jobs_max = options_.jobs_in_all,
      .lease_ns = all_.lease_ns,
      .kill_ns = all_.kill_ns,
      .hash = place.hash,
      .first_session = ++last_session_ << 20};
  const auto add = [&](LambdaIndex lambda, bool is_twin) {
    const LambdaSpec& of = all_.lambdas[lambda];
    spec.lambda_of.push_back(lambda);
    spec.lambdas.push_back({.domain = all_.domains[all_.topologies[of.topology].domain],
                            .topology = all_.topologies[of.topology].name,
                            .name = of.name,
                            .plugin = of.plugin,
                            .twin = is_twin});
  };
  for (LambdaIndex i = 0; i < all_.lambdas.size(); ++i)
    add(number % 2 == 0 ? turned_round(all_, i) : i, false);
  for (LambdaIndex lambda : config_.canaries) add(lambda, true);
  return spec;
}

void Simulation::kill_process(sim::PlaceId number, std::int64_t back_after_ns) {
  Place& place = places_[number];
  if (!place.process) return;  // something else came first
  network_.disconnect(number);
  place.orphans = place.process->die();
  place.process.reset();
  at(back_after_ns, [this, number] { start_process(number); });
}

void Simulation::drain_process(sim::PlaceId number) {
  places_[number].process->drain();
  look_whether_drained(number, some(0, second));
}

void Simulation::look_whether_drained(sim::PlaceId number, std::int64_t back_after_ns) {
  const auto& process = places_[number].process;
  if (!process) return;  // killed meanwhile, and started anew
  if (process->has_ended())
    return at(10 * ms, [this, number, back_after_ns] { kill_process(number, back_after_ns); });
  at(5 * ms, [this, number, back_after_ns] { look_whether_drained(number, back_after_ns); });
}

// Other bytes, or none for a while.
void Simulation::change_plugin(sim::PlaceId number) {
  Place& place = places_[number];
  place.hash = place.hash == "v1" ? "v2" : "v1";
  if (chance(0.7)) return place.process->serve(place.hash);
  place.process->serve("");
  at(some(10 * ms, second), [this, number] {
    if (places_[number].process) places_[number].process->serve(places_[number].hash);
  });
}

// ---- what befalls them

void Simulation::disturb_hosts() {
  if (!in_trouble()) return;
  at(some(10 * ms, 500 * ms), [this] { disturb_hosts(); });
  if (chance(0.2)) break_downstream();
  if (chance(0.15)) return crash_broker();
  if (places_.size() < places_max && chance(0.2)) return add_place();
  std::vector<sim::PlaceId> alive;
  for (const auto& [number, place] : places_)
    if (place.process && !place.process->has_ended()) alive.push_back(number);
  if (!alive.empty()) disturb(alive[fate_.below(alive.size())]);
}

void Simulation::disturb(sim::PlaceId number) {
  const std::int64_t time = chance(0.3) ? some(500 * ms, 3 * second) : some(ms, 300 * ms);
  const auto kind = fate_.below(7);
  static constexpr const char* words[] = {"is killed",
                                          "hangs",
                                          "loses its connection",
                                          "hears and is heard late",
                                          "is drained",
                                          "gets another plugin",
                                          "meets full queues"};
  note(fmt::format("host h{} {}, for {} ms", number, words[kind], time / ms));
  switch (kind) {
    case 0:
      return kill_process(number, time);
    case 1:
      return places_[number].process->hang(time);
    case 2:
      return network_.break_off(number, time);
    case 3:
      return network_.stall(number, time);
    case 4:
      return drain_process(number);
    case 5:
      return change_plugin(number);
    default:
      return network_.fill(number, time);
  }
}

// ---- the broker's side

void Simulation::from_host(wire::FromHost message) {
  std::vector<Input> inputs;
  broker_->hosts.on_message(std::move(message), fate_.now_ns(), inputs);
  step(std::move(inputs));
}

void Simulation::perform(const IssueJob& issued) {
  met_.late_jobs += issued.late;
  const TopologyIndex topology = all_.lambdas[life_.lambda_of[issued.lambda]].topology;
  const Held held = held_[{topology, issued.subject}];
  if (held.paused || held.parked || paused_whole_.contains(topology) ||
      went_back_.contains({topology, issued.subject}))
    violate(Promise::acts, fmt::format("{} although it is held", to_text(Action{issued})));
  check_version(issued);
  const broker::Hosts::Session* session = broker_->hosts.find(issued.host);
  if (session && !leases_.contains(session->key))
    violate(Promise::fence,
            fmt::format("{} before the lease of its host is stored", to_text(Action{issued})));
  if (in_trouble() && chance(0.005)) claim_elsewhere(issued);
  broker_->publisher.add(issued);
  if (in_trouble() && chance(0.1)) flush();  // else with the others of its step
}

// A host tells of a job that it never got.
void Simulation::claim_elsewhere(const IssueJob& job) {
  for (const auto& [id, session] : broker_->hosts.sessions())
    if (id != job.host)
      return network_.forge(session.peer,
                            wire::JobStatuses{.session = session.session, .statuses = {all_done(job)}});
}

// ---- what events come to

// What a lambda calls is down for a while: whatever it is given fails.
void Simulation::break_downstream() {
  ++met_.outages;
  const auto lambda = static_cast<LambdaIndex>(fate_.below(all_.lambdas.size()));
  const std::int64_t time = some(50 * ms, 500 * ms);
  down_until_ns_[lambda] = fate_.now_ns() + time;
  note(fmt::format("what lambda {} calls is down for {} ms", lambda, time / ms));
}

sim::EventFate Simulation::on_start(const sim::EventStart& started) {
  sim::EventStart start = started;
  start.of_this_life = start.job >> 40 == epoch_;
  start.subject = subject_of(started.subject);
  if (runs_on(start, started.subject)) return {.takes_ns = some(ms / 10, 3 * ms)};
  checkers_.on_start(start, fate_.now_ns());
  check_calm(start);
  sim::EventFate fate{.takes_ns = some(ms / 10, 3 * ms)};
  if (in_trouble()) {
    fate.hangs = chance(0.003);
    fate.beats = chance(0.5);
    if (chance(0.008)) fate.takes_ns = some(12 * ms, 600 * ms);
    if (chance(0.02)) fate.end = OutcomeKind::signaled;
    if (chance(0.05) || fate_.now_ns() < down_until_ns_[start.lambda]) fate.end = OutcomeKind::retry;
  }
  if (is_needed_[start.lambda]) fate.output = output_of(start.lambda, start.subject, start.sequence);
  if (fate.end == OutcomeKind::ok && chance(0.05)) fate.end = OutcomeKind::skipped;
  const TopologyIndex topology = all_.lambdas[start.lambda].topology;
  if (!checkers_.is_poison(topology, start.subject, start.sequence) || fate.end == OutcomeKind::signaled)
    return fate;
  const bool again = all_.topologies[topology].retry.park_after > 0;
  fate.end = again ? OutcomeKind::retry : OutcomeKind::failed;
  return fate;
}

void Simulation::on_end(const sim::EventStart& start, OutcomeKind end, bool is_known) {
  ++met_.events;
  met_.in_trouble += in_trouble();
  met_.hung += end == OutcomeKind::hung;
  met_.crashed += end == OutcomeKind::signaled;
  sim::EventStart ended = start;
  ended.of_this_life = start.job >> 40 == epoch_;
  ended.subject = subject_of(start.subject);
  if (run_on_.erase({start.lambda, ended.subject, start.job}) > 0) return;
  if (!is_shadow(start.subject)) return checkers_.on_end(ended, end, is_known);
  ++met_.replay_events;
  if (shadow_records_.at(start.subject).is_gone)
    return checkers_.on_end(ended, OutcomeKind::external_kill, false);
  if (is_done(end)) ++shadow_events_[life_.topology_here[all_.lambdas[start.lambda].topology]];
  checkers_.on_end(ended, end, is_known);
}

}  // namespace cape::scheduler
