// LambdaService answers run_job requests: batches of jobs, one flush a batch, one result a job. Thread: main.
#pragma once

#include <cstdint>
#include <vector>

#include "host/child/runner/job_runner.hpp"
#include "host/child/runner/pacing.hpp"

namespace cape::child {

class LambdaService {
 public:
  LambdaService(const Setup& setup, Channel& channel, const cape_lambda& lambda, void* self);
  // Until the host says stop and every job it gave before is answered.
  void run();

 private:
  bool run_jobs();
  void run_job(const JobView& job, std::int64_t& now_ns);
  void flush_held(std::int64_t now_ns);
  bool batch_is_full(std::int64_t now_ns) const;
  void publish(const JobResult& result, std::int64_t took_ns);

  Channel& channel_;
  JobRunner runner_;
  Pacing pacing_;
  // With flush: the batch so far. Jobs taken until the ring is empty or a bound is reached.
  std::vector<JobResult> held_;
  std::uint32_t held_events_ = 0;
  std::int64_t held_since_ns_ = 0;
};

}  // namespace cape::child
