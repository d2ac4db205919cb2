#include "broker/scheduler/verdict.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace cape::scheduler {
namespace {

// How many events of the job `done_to` covers; nullopt: it is none of them.
std::optional<std::uint32_t> count_done(const EventRange& events, Sequence done_to) {
  if (done_to == 0) return 0;
  const std::size_t end = events.block->first_after(done_to);
  if (end <= events.first || end > std::size_t{events.first} + events.count) return std::nullopt;
  if (events.block->entries[end - 1].sequence != done_to) return std::nullopt;
  return static_cast<std::uint32_t>(end - events.first);
}

Verdict broken(const EventRange& events, std::string why) {
  return {.events_done = 0,
          .what = FailureClass::attempt,
          .failed_sequence = events.first_sequence(),
          .may_have_run_to = events.last_sequence(),
          .outcome = {OutcomeKind::protocol, "the host's status does not fit the job: " + std::move(why)}};
}

// Parking needs no attempt: an event that cannot even be given to a child must not be tried for ever.
FailureClass class_of(const wire::JobStatus& status) {
  const FailureClass what = failure_class(status.end.kind);
  return what == FailureClass::attempt && !status.started ? FailureClass::no_attempt : what;
}

Outcome bounded(const Outcome& outcome) {
  return {outcome.kind, shortened(outcome.reason, reason_bytes_max)};
}

// Empty: they may be taken.
std::string outputs_mistake(const wire::JobStatus& status, std::uint32_t events_done, OutputBounds bounds) {
  if (bounds.job == 0 || status.outputs.empty()) return {};
  if (status.outputs.size() != events_done)
    return fmt::format("{} outputs of {} events", status.outputs.size(), events_done);
  std::uint64_t before = 0, bytes = 0;
  for (const OutputPtr& output : status.outputs) {
    before = bytes;
    const std::uint64_t size = output ? output->size() : 0;
    if (size > bounds.event) return fmt::format("an output of {} bytes, {} are allowed", size, bounds.event);
    bytes += size;
    if (before >= bounds.job) return fmt::format("outputs over the {} bytes that were asked for", bounds.job);
  }
  return {};
}

}  // namespace

Verdict judge(const EventRange& events, const wire::JobStatus& status, OutputBounds bounds) {
  const auto done = count_done(events, status.done_to);
  if (!done) return broken(events, fmt::format("done_to {} is none of its events", status.done_to));
  if (std::string mistake = outputs_mistake(status, *done, bounds); !mistake.empty())
    return broken(events, std::move(mistake));
  if (is_done(status.end.kind)) {
    if (*done != events.count) return broken(events, fmt::format("OK with done_to {}", status.done_to));
    return {.events_done = *done, .outcome = {status.end.kind, {}}};
  }
  if (*done == events.count)
    return broken(events, fmt::format("{} after its last event", name_of(status.end.kind)));
  const Sequence failed = events[*done].sequence;
  if (status.failed_sequence != 0 && status.failed_sequence != failed)
    return broken(events, fmt::format("{} failed, but {} is next", status.failed_sequence, failed));
  return {.events_done = *done,
          .what = class_of(status),
          .failed_sequence = failed,
          // Those behind it too: a call of several events that died may have run them all.
          .may_have_run_to = status.started ? events.last_sequence() : 0,
          .outcome = bounded(status.end)};
}

}  // namespace cape::scheduler
