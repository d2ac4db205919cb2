#include "host/worker/held_job.hpp"

#include <algorithm>

namespace cape::host {
namespace {

std::int64_t earlier_start(std::int64_t a, std::int64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

std::uint64_t bytes_of(const std::vector<OutputPtr>& outputs) {
  std::uint64_t bytes = 0;
  for (const OutputPtr& output : outputs) bytes += output ? output->size() : 0;
  return bytes;
}

// Those of `before_done` events and behind them those of `more_done`.
std::vector<OutputPtr> joined(std::vector<OutputPtr> before, std::uint32_t before_done,
                              const std::vector<OutputPtr>& more, std::uint32_t more_done) {
  if (before.empty() && more.empty()) return {};
  before.resize(before_done);
  before.insert(before.end(), more.begin(), more.end());
  before.resize(std::size_t{before_done} + more_done);
  return before;
}

void drop_front(std::vector<wire::JobInput>& inputs, std::uint32_t events) {
  for (wire::JobInput& input : inputs)
    input.outputs.erase(input.outputs.begin(), input.outputs.begin() + events);
}

}  // namespace

bool keep_progress(HeldJob& held, const wire::JobStatus& status) {
  EventRange& events = held.job.events;
  const std::uint32_t done = std::min(status.events_done, events.count);
  if (done == 0) return true;
  held.before.outputs = joined(std::move(held.before.outputs), held.before.events_done, status.outputs, done);
  held.job.outputs_bytes_max -= std::min(held.job.outputs_bytes_max, bytes_of(status.outputs));
  drop_front(held.job.inputs, done);
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
  status.outputs = joined(held.before.outputs, held.before.events_done, status.outputs, status.events_done);
  status.events_done += held.before.events_done;
  status.first_start_ns = earlier_start(status.first_start_ns, held.before.first_start_ns);
  status.end_ns = std::max(status.end_ns, held.before.end_ns);
  return status;
}

bool outputs_are_full(const HeldJob& held) {
  return held.outputs_bytes_max > 0 && held.job.outputs_bytes_max == 0;
}

void bound_outputs(const HeldJob& held, wire::JobStatus& status) {
  std::uint64_t bytes = 0;
  std::uint32_t fit = 0;
  while (fit < status.outputs.size() && bytes < held.outputs_bytes_max) {
    const OutputPtr& output = status.outputs[fit++];
    bytes += output ? output->size() : 0;
  }
  if (fit >= status.events_done || status.outputs.empty()) return;
  const EventRange& left = held.job.events;
  const auto* first = &left.block->entries[left.first - held.before.events_done];
  status.outputs.resize(fit);
  status.events_done = fit;
  status.done_to = first[fit - 1].sequence;
  status.failed_sequence = first[fit].sequence;
  status.end = {OutcomeKind::cancelled, "the outputs before it are as many as may wait"};
  status.app_code = 0;
  status.started = true;
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
