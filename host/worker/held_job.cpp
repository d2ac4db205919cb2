#include "host/worker/held_job.hpp"

#include <algorithm>

namespace cape::host {
namespace {

std::int64_t earlier_start(std::int64_t a, std::int64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

}  // namespace

bool keep_progress(HeldJob& held, const wire::JobStatus& status) {
  EventRange& events = held.job.events;
  const std::uint32_t done = std::min(status.events_done, events.count);
  if (done == 0) return true;
  held.before.done_to = events[done - 1].sequence;
  held.before.events_done += done;
  held.before.first_start_ns = earlier_start(held.before.first_start_ns, status.first_start_ns);
  held.before.end_ns = status.end_ns;
  held.job.attempt = 0;  // it was counted for an event that is done now
  events.first += done;
  events.count -= done;
  return events.count > 0;
}

wire::JobStatus whole_status(const HeldJob& held, wire::JobStatus status) {
  status.job = held.job.job;
  status.done_to = std::max(status.done_to, held.before.done_to);
  status.events_done += held.before.events_done;
  status.first_start_ns = earlier_start(status.first_start_ns, held.before.first_start_ns);
  status.end_ns = std::max(status.end_ns, held.before.end_ns);
  return status;
}

wire::JobStatus not_started(const HeldJob& held, Outcome end) {
  wire::JobStatus status;
  status.end = std::move(end);
  status.failed_sequence = held.job.events.count > 0 ? held.job.events.first_sequence() : 0;
  // Else the broker would have it run elsewhere as if for the first time.
  status.started = held.may_have_run;
  return whole_status(held, std::move(status));
}

}  // namespace cape::host
