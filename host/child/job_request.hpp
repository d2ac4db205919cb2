// host/child/job_request.hpp
// A job as the body of a run_job frame: how many of its events fit, and the writing of them. Pure.
#pragma once

#include <cstdint>

#include "wire/messages.hpp"

namespace cape::child {

// How many of a job's events go into a body of `body_max` bytes, and how large it gets.
struct Fit {
  std::uint32_t count = 0;
  std::uint64_t body_bytes = 0;
};
Fit fit_events(const wire::RunJob& job, std::uint64_t body_max);

// What one event takes, with what the lambdas it needs gave for it.
std::uint64_t event_body_bytes(const wire::RunJob& job, std::uint32_t index);

struct JobRequest {
  std::uint64_t first_number = 0;
  std::uint32_t count = 0;  // of its first events, as fit_events() says
  bool singly = false;
};
// Requires: there is room for the body_bytes of `count` events at `at`.
void write_run_job(const wire::RunJob& job, const JobRequest& request, std::uint8_t* at);

}  // namespace cape::child
