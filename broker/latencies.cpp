#include "broker/latencies.hpp"

#include "core/clock.hpp"

namespace cape::broker {

Latencies::Latencies(const scheduler::SchedulerPlan& plan) : plan_(plan), topologies_(plan.topologies.size()) {}

void Latencies::on_issue(const scheduler::IssueJob& job) {
  const TopologyIndex topology = plan_.lambdas[job.lambda].topology;
  const bool added = issued_[job.host].emplace(job.job, Issued{job.ping_ns, topology}).second;
  if (added) ++topologies_[topology].traffic.jobs_in_flight;
}

void Latencies::on_status(const scheduler::Status& status) {
  auto host = issued_.find(status.host);
  if (host == issued_.end()) return;
  auto job = host->second.find(status.status.job);
  if (job == host->second.end()) return;
  const Issued issued = job->second;
  host->second.erase(job);
  TopologyTraffic& traffic = topologies_[issued.topology].traffic;
  --traffic.jobs_in_flight;
  traffic.events_done += status.status.events_done;
  ++traffic.jobs_done;
  const std::int64_t start = status.status.first_start_ns;
  if (start > 0 && issued.ping_ns > 0) {
    ping_to_start_.add(start - issued.ping_ns);
    traffic.ping_to_start.add(start - issued.ping_ns);
  }
  if (start > 0 && status.status.end_ns >= start) run_.add(status.status.end_ns - start);
}

void Latencies::on_host_gone(scheduler::HostId host) {
  const auto found = issued_.find(host);
  if (found == issued_.end()) return;
  for (const auto& [job, issued] : found->second) --topologies_[issued.topology].traffic.jobs_in_flight;
  issued_.erase(found);
}

void Latencies::on_second(std::int64_t now_ns) {
  const double seconds = static_cast<double>(now_ns - second_ns_) / static_cast<double>(ns_per_s);
  const bool first = second_ns_ == 0;
  if (!first && seconds <= 0) return;
  second_ns_ = now_ns;
  for (auto& [traffic, events_then, jobs_then] : topologies_) {
    if (!first) {
      traffic.events_per_s = static_cast<double>(traffic.events_done - events_then) / seconds;
      traffic.jobs_per_s = static_cast<double>(traffic.jobs_done - jobs_then) / seconds;
    }
    events_then = traffic.events_done;
    jobs_then = traffic.jobs_done;
  }
}

void Latencies::reset() {
  ping_to_start_.reset();
  run_.reset();
  for (Topology& topology : topologies_) topology.traffic.ping_to_start.reset();
}

}  // namespace cape::broker
