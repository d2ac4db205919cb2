// broker/latencies.hpp
// Latencies measures, from the boot-time stamps that jobs and statuses carry: ping to the start of the
// handler, and the time a job ran. Thread: broker loop only.
#pragma once

#include <map>
#include <unordered_map>

#include "broker/latency.hpp"
#include "broker/scheduler/messages.hpp"

namespace cape::broker {

class Latencies {
 public:
  void on_issue(const scheduler::IssueJob& job);
  void on_status(const scheduler::Status& status);
  void on_host_gone(scheduler::HostId host) { issued_.erase(host); }
  void reset();

  const LatencyHistogram& ping_to_start() const { return ping_to_start_; }
  const LatencyHistogram& run() const { return run_; }

 private:
  std::map<scheduler::HostId, std::unordered_map<JobId, std::int64_t>> issued_;  // -> ping_ns
  LatencyHistogram ping_to_start_, run_;
};

}  // namespace cape::broker
