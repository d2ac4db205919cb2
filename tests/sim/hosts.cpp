// The hosts of the simulation.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Simulation::add_host() {
  const HostId id = next_host_++;
  hosts_[id].lease_end_ns = now_.boot_ns + all_.lease_ns;
  std::vector<Input> inputs{HostUp{.host = id, .name = fmt::format("h{}", id)}};
  for (LambdaIndex lambda = 0; lambda < life_.plan.lambdas.size(); ++lambda)
    inputs.push_back(Credit{
        .host = id, .lambda = lambda, .jobs_max = options_.jobs_per_host, .hash = "hash", .trouble = {}});
  broker_at(0, [this, id] { beat(id); });
  step(std::move(inputs));
}

// A heartbeat that arrives is answered, and only then the host may go on for another lease.
void Simulation::beat(HostId id) {
  Host& host = hosts_[id];
  if (!is_running(host)) return;
  if (!host.cut) {
    Heartbeat heartbeat{.host = id, .running = {}};
    for (const auto& [job, sequence] : host.running) heartbeat.running.push_back({job, sequence});
    if (scheduler_->knows_host(id)) host.lease_end_ns = now_.boot_ns + all_.lease_ns;
    broker_at(some(0, 3 * ms), [this, heartbeat] { step({heartbeat}); });
  }
  broker_at(200 * ms, [this, id] { beat(id); });
}

// Now and then a host dies, is cut off, says goodbye or is replaced; another one comes for it. Now and then
// the broker crashes.
void Simulation::disturb_hosts() {
  if (!in_trouble()) return;
  at(some(10 * ms, 500 * ms), [this] { disturb_hosts(); });
  if (chance(0.15)) return crash_broker();
  if (!gate_is_open_) return;
  std::vector<HostId> alive;
  for (const auto& [id, host] : hosts_)
    if (host.runs && !host.cut) alive.push_back(id);
  if (alive.size() < 2) return;
  broker_at(some(0, 300 * ms), [this] { add_host(); });
  disturb(alive[random_() % alive.size()]);
}

void Simulation::disturb(HostId id) {
  Host& host = hosts_[id];
  const auto kind = random_() % 4;
  note(fmt::format("host {} {}", id,
                   kind == 0   ? "is cut off"
                   : kind == 1 ? "dies"
                   : kind == 2 ? "dies and its successor says hello"
                               : "says goodbye if nothing runs there"));
  if (kind == 0) {
    host.cut = true;  // it runs on until its lease ends
  } else if (kind == 1) {
    host.runs = false;  // found out by its silence
  } else if (kind == 2) {
    host.runs = false;
    broker_at(some(0, 50 * ms), [this, id] { step({HostGone{.host = id}}); });
  } else if (host.running.empty()) {  // it takes no more; what runs is finished first
    host.runs = false;
    step({HostGone{.host = id, .clean = true}});
  }
}

void Simulation::perform(const IssueJob& issued) {
  IssueJob job = issued;
  job.lambda = life_.lambda_of[job.lambda];  // from here on the run's
  const TopologyIndex topology = all_.lambdas[job.lambda].topology;
  const Held held = held_[{topology, job.subject}];
  if (held.paused || held.parked || paused_whole_.contains(topology) ||
      went_back_.contains({topology, job.subject}))
    violate(Promise::acts, fmt::format("{} although it is held", to_text(Action{issued})));
  Host& host = hosts_[job.host];
  host.out.emplace(job.job, job.lambda);
  const auto of_lambda =
      std::ranges::count_if(host.out, [&](const auto& out) { return out.second == job.lambda; });
  if (of_lambda > options_.jobs_per_host)
    violate(Promise::bounds, fmt::format("{} is more than the host takes", to_text(Action{issued})));
  if (in_trouble() && chance(0.005)) claim_elsewhere(job);
  at(some(0, 2 * ms), [this, job] { start_job(job.host, job); });
}

void Simulation::start_job(HostId id, const IssueJob& job) {
  const Host& host = hosts_[id];
  if (!host.runs || host.cut) return;
  if (in_trouble() && chance(0.03)) return report(id, never_started(job, OutcomeKind::setup));
  run_event(id, job, 0);
}

bool Simulation::is_running(Host& host) {
  if (now_.boot_ns >= host.lease_end_ns) host.runs = false;  // its reaper does that
  return host.runs;
}

void Simulation::run_event(HostId id, const IssueJob& job, std::uint32_t index) {
  Host& host = hosts_[id];
  if (!is_running(host)) return;
  const Sequence sequence = job.events[index].sequence;
  checkers_.on_start({.lambda = job.lambda,
                      .subject = job.subject,
                      .sequence = sequence,
                      .job = job.job,
                      .may_repeat = job.may_repeat,
                      .of_this_life = job.job >> 40 == epoch_});
  host.running[job.job] = sequence;
  const bool is_slow = in_trouble() && chance(0.008);
  const bool hangs = is_slow && chance(0.5);
  at(is_slow ? some(300 * ms, 1500 * ms) : some(ms / 10, 4 * ms),
     [this, id, job, index, hangs] { end_event(id, job, index, hangs); });
}

void Simulation::end_event(HostId id, const IssueJob& job, std::uint32_t index, bool hung) {
  Host& host = hosts_[id];
  if (!is_running(host)) return;
  host.running.erase(job.job);
  const Sequence sequence = job.events[index].sequence;
  ++met_.events;
  met_.hung += hung;
  if (hung) return report(id, failed_at(job, sequence, OutcomeKind::hung));
  if (cancelled_.contains(job.job) && chance(0.7))
    return report(id, failed_at(job, sequence, OutcomeKind::cancelled));
  if (in_trouble() && chance(0.08)) {
    const bool started = chance(0.7);
    return report(id, failed_at(job, sequence, started ? OutcomeKind::signaled : OutcomeKind::cancelled));
  }
  if (checkers_.is_poison(all_.lambdas[job.lambda].topology, job.subject, sequence))
    return report(id, failed_at(job, sequence, OutcomeKind::failed));
  checkers_.on_success(job.lambda, job.subject, sequence);
  if (index + 1 < job.events.count) return run_event(id, job, index + 1);
  report(id, all_done(job));
}

// It may arrive twice, or not at all when the host is gone by then.
void Simulation::report(HostId id, wire::JobStatus status) {
  const int copies = in_trouble() && chance(0.1) ? 2 : 1;
  for (int i = 0; i < copies; ++i)
    broker_at(some(0, 5 * ms), [this, id, status] {
      Host& host = hosts_[id];
      if (host.cut) return;
      host.out.erase(status.job);
      step({Status{id, status}});
    });
}

// A host tells of a job that it never got.
void Simulation::claim_elsewhere(const IssueJob& job) {
  const HostId other = job.host == 1 ? 2 : job.host - 1;
  broker_at(some(0, 2 * ms), [this, job, other] { step({Status{other, all_done(job)}}); });
}

}  // namespace cape::scheduler
