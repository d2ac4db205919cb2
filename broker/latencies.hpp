// broker/latencies.hpp
// Latencies measures, from the boot-time stamps that jobs and statuses carry: ping to the start of the
// handler, and the time a job ran. It counts besides what each topology does. Memory: one entry for each job
// in flight, 8 KiB for each topology. Thread: broker loop only.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "broker/latency.hpp"
#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/plan.hpp"

namespace cape::broker {

struct TopologyTraffic {
  std::uint64_t events_done = 0, jobs_done = 0, jobs_in_flight = 0;
  double events_per_s = 0, jobs_per_s = 0;  // between the last two on_second()
  LatencyHistogram ping_to_start;
};

class Latencies {
 public:
  // `plan` must outlive it.
  explicit Latencies(const scheduler::SchedulerPlan& plan);

  void on_issue(const scheduler::IssueJob& job);
  // Counts if the job was issued to that host and has had no status yet.
  void on_status(const scheduler::Status& status);
  void on_host_gone(scheduler::HostId host);
  void on_second(std::int64_t now_ns);  // about once a second: the rates are those since the last time
  void reset();                         // the latencies; what was counted stays

  const LatencyHistogram& ping_to_start() const { return ping_to_start_; }
  const LatencyHistogram& run() const { return run_; }
  const TopologyTraffic& of(TopologyIndex topology) const { return topologies_[topology].traffic; }

 private:
  struct Issued {
    std::int64_t ping_ns = 0;
    TopologyIndex topology = 0;
  };
  struct Topology {
    TopologyTraffic traffic;
    std::uint64_t events_then = 0, jobs_then = 0;  // at the last on_second()
  };
  const scheduler::SchedulerPlan& plan_;
  std::map<scheduler::HostId, std::unordered_map<JobId, Issued>> issued_;
  std::vector<Topology> topologies_;
  std::int64_t second_ns_ = 0;
  LatencyHistogram ping_to_start_, run_;
};

}  // namespace cape::broker
