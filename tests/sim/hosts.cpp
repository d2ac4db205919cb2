// The hosts of the simulation.
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Simulation::add_host() {
  const HostId id = next_host_++;
  hosts_[id].lease_end_ns = now_.boot_ns + plan_.lease_ns;
  std::vector<Input> inputs{HostUp{.host = id, .name = fmt::format("h{}", id)}};
  for (LambdaIndex lambda = 0; lambda < plan_.lambdas.size(); ++lambda)
    inputs.push_back(Credit{
        .host = id, .lambda = lambda, .jobs_max = options_.jobs_per_host, .hash = "hash", .trouble = {}});
  step(std::move(inputs));
  broker_at(0, [this, id] { beat(id); });
}

// A heartbeat that arrives is answered, and only then the host may go on for another lease.
void Simulation::beat(HostId id) {
  Host& host = hosts_[id];
  if (!host.runs) return;
  if (!host.cut) {
    Heartbeat heartbeat{.host = id, .running = {}};
    for (const auto& [job, sequence] : host.running) heartbeat.running.push_back({job, sequence});
    if (scheduler_->knows_host(id)) host.lease_end_ns = now_.boot_ns + plan_.lease_ns;
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
  std::vector<HostId> alive;
  for (const auto& [id, host] : hosts_)
    if (host.runs && !host.cut) alive.push_back(id);
  if (alive.size() < 2) return;
  const HostId id = alive[random_() % alive.size()];
  Host& host = hosts_[id];
  switch (random_() % 4) {
    case 0:
      host.cut = true;
      break;  // it runs on until its lease ends
    case 1:
      host.runs = false;
      break;  // found out by its silence
    case 2:   // its successor's hello ends the session
      host.runs = false;
      broker_at(some(0, 50 * ms), [this, id] { step({HostGone{.host = id}}); });
      break;
    default:  // it takes no more; what runs is finished first
      if (host.running.empty()) {
        host.runs = false;
        step({HostGone{.host = id, .clean = true}});
      }
  }
  broker_at(some(0, 300 * ms), [this] { add_host(); });
}

void Simulation::perform(const IssueJob& job) {
  const TopologyIndex topology = plan_.lambdas[job.lambda].topology;
  const Held held = held_[{topology, job.subject}];
  if (held.paused || held.parked || paused_whole_.contains(topology))
    violate(fmt::format("{} although an operator holds it", to_text(Action{job})));
  at(some(0, 2 * ms), [this, job] { start_job(job.host, job); });
}

void Simulation::start_job(HostId id, IssueJob job) {
  Host& host = hosts_[id];
  if (!host.runs || host.cut) return;
  if (in_trouble() && chance(0.03)) return report(id, job, never_started(job, OutcomeKind::setup));
  run_event(id, job, 0);
}

void Simulation::run_event(HostId id, const IssueJob& job, std::uint32_t index) {
  Host& host = hosts_[id];
  if (now_.boot_ns >= host.lease_end_ns) host.runs = false;  // its reaper does that
  if (!host.runs) return;
  check_start(job, job.events[index].sequence);
  host.running[job.job] = job.events[index].sequence;
  at(some(ms / 10, 4 * ms), [this, id, job, index] { end_event(id, job, index); });
}

void Simulation::end_event(HostId id, const IssueJob& job, std::uint32_t index) {
  Host& host = hosts_[id];
  if (!host.runs) return;
  host.running.erase(job.job);
  const Sequence sequence = job.events[index].sequence;
  ++events_run_;
  if (cancelled_.contains(job.job) && chance(0.7))
    return report(id, job, failed_at(job, sequence, OutcomeKind::cancelled));
  if (in_trouble() && chance(0.08)) {
    const bool started = chance(0.7);
    auto status = failed_at(job, sequence, started ? OutcomeKind::signaled : OutcomeKind::cancelled);
    return report(id, job, std::move(status));
  }
  if (is_poison(plan_.lambdas[job.lambda].topology, job.subject, sequence))
    return report(id, job, failed_at(job, sequence, OutcomeKind::failed));
  logs_[{job.lambda, job.subject}].succeeded.insert(sequence);
  logs_[{job.lambda, job.subject}].ever.insert(sequence);
  if (index + 1 < job.events.count) return run_event(id, job, index + 1);
  report(id, job, all_done(job));
}

// It may arrive twice, or not at all when the host is gone by then.
void Simulation::report(HostId id, const IssueJob&, wire::JobStatus status) {
  const int copies = in_trouble() && chance(0.1) ? 2 : 1;
  for (int i = 0; i < copies; ++i)
    broker_at(some(0, 5 * ms), [this, id, status] {
      if (!hosts_[id].cut) step({Status{id, status}});
    });
}

}  // namespace cape::scheduler
