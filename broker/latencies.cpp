#include "broker/latencies.hpp"

namespace cape::broker {

void Latencies::on_issue(const scheduler::IssueJob& job) { issued_[job.host].emplace(job.job, job.ping_ns); }

void Latencies::on_status(const scheduler::Status& status) {
  auto host = issued_.find(status.host);
  if (host == issued_.end()) return;
  auto job = host->second.find(status.status.job);
  if (job == host->second.end()) return;
  const std::int64_t start = status.status.first_start_ns;
  if (start > 0 && job->second > 0) ping_to_start_.add(start - job->second);
  if (start > 0 && status.status.end_ns >= start) run_.add(status.status.end_ns - start);
  host->second.erase(job);
}

void Latencies::reset() {
  ping_to_start_.reset();
  run_.reset();
}

}  // namespace cape::broker
