// Hosts come and go, say what they take, and fall silent.
#include <fmt/format.h>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

// Which event of the job the host named as running; 0: none of it.
Sequence running_in(const Host& host, const Job& job) {
  for (const wire::RunningEvent& running : host.running) {
    if (running.job != job.id) continue;
    for (std::uint32_t i = 0; i < job.events.count; ++i)
      if (job.events[i].sequence == running.sequence) return running.sequence;
  }
  return 0;
}

}  // namespace

void Scheduler::State::apply(const HostUp& input) {
  hosts.add(input.host, input.name, input.jobs_max, now.boot_ns);
}

void Scheduler::State::apply(const HostGone& input) {
  Host* host = hosts.find(input.host);
  if (host == nullptr) return;
  if (input.clean) host->running.clear();
  take_jobs_back(input.host, fmt::format("host {} ended its session", host->name));
}

void Scheduler::State::apply(const Credit& input) {
  Host* host = hosts.find(input.host);
  if (host == nullptr || input.lambda >= plan.lambdas.size()) return;  // a peer's mistake, or an old session
  HostCredit& credit = host->credits[input.lambda];
  credit.jobs_max = input.hash.empty() ? 0 : input.jobs_max;
  credit.hash = input.hash;
  credit.trouble = input.trouble;
  issue_ready(input.lambda);
}

void Scheduler::State::apply(const Heartbeat& input) {
  Host* host = hosts.find(input.host);
  if (host == nullptr) return;
  host->heartbeat_ns = now.boot_ns;
  host->running = input.running;
}

// The session is over. Its jobs are free to run elsewhere; their statuses are stale from here on.
void Scheduler::State::take_jobs_back(HostId id, const std::string& why) {
  std::vector<std::pair<JobId, Sequence>> left;
  const Host& host = *hosts.find(id);
  for (JobId job : jobs.of_host(id)) left.emplace_back(job, running_in(host, *jobs.find(job)));
  hosts.remove(id);
  for (const auto& [job, running] : left) take_job_back(job, running, why);
}

void Scheduler::State::take_job_back(JobId id, Sequence running, const std::string& why) {
  const Job job = jobs.take(id);
  Subject& s = subjects.at(job.slot);
  Lane& lane = s.lanes[job.lane];
  Stretch& stretch = lane.of_job(id);
  end_job(lane, job);
  circuits[lane.lambda].breaker.on_end(id);
  stretch.job = 0;
  lane.refused = false;
  drop_waiting(lane, stretch);
  stretch.repeat_to =
      std::max(stretch.repeat_to, job.events.last_sequence());  // it may have got as far as that
  touch(s);
  if (lane.moves) {
    move_to_slot(s, lane);
    offer(s, lane);
    issue_ready(lane.lambda);
  }
  if (stretch.parked || lane.is_stopped()) return;
  const Outcome outcome{OutcomeKind::external_kill, why};
  if (running == 0) return come_back_unstarted(s, lane, stretch, outcome);
  count_attempt(s, stretch, running, outcome);
  back_off(s, lane, stretch, outcome);
}

void Scheduler::State::lose_silent_hosts() {
  while (const Host* host = hosts.first_lost(now.boot_ns)) {
    const std::string why = fmt::format("host {} was lost: no heartbeat for {} s", host->name,
                                        (now.boot_ns - host->heartbeat_ns) / ns_per_s);
    ++counters.hosts_lost;
    actions.push_back(Notice{
        .kind = Notice::Kind::host_lost, .host = host->id, .outcome = {OutcomeKind::external_kill, why}});
    take_jobs_back(host->id, why);
  }
}

}  // namespace cape::scheduler
