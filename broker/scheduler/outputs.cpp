// Lambdas that need each other: what one gave for an event is kept until the others are through with it.
#include <utility>

#include "broker/scheduler/state.hpp"
#include "core/error.hpp"

namespace cape::scheduler {

// ---- what a dependant may run

Sequence Scheduler::State::inputs_end(const Subject& s, const Lane& lane, Sequence position) const {
  Sequence end = INT64_MAX;
  for (std::uint32_t needed : layout_of(s).needs[lane.index]) {
    const Lane& up = s.lanes[needed];
    end = std::min(end, up.outputs->from <= position ? up.at() : -1);
  }
  return end;
}

Sequence Scheduler::State::end_of_inputs(Subject& s, const Lane& lane, const EventBlock& block, Sequence next,
                                         Sequence end) {
  for (std::uint32_t needed : layout_of(s).needs[lane.index]) {
    LaneOutputs& kept = *s.lanes[needed].outputs;
    for (std::size_t i = block.first_after(next - 1); i < block.entries.size(); ++i) {
      const Sequence sequence = block.entries[i].sequence;
      if (sequence > end) break;
      if (kept.entries.contains(sequence)) continue;
      if (kept.missing == 0 || sequence < kept.missing) kept.missing = sequence;
      end = sequence - 1;
    }
  }
  return end;
}

std::uint64_t Scheduler::State::input_bytes(const Subject& s, const Lane& lane, Sequence sequence) const {
  std::uint64_t bytes = 0;
  for (std::uint32_t needed : layout_of(s).needs[lane.index]) {
    const auto& entries = s.lanes[needed].outputs->entries;
    const auto at = entries.find(sequence);
    if (at != entries.end() && at->second) bytes += at->second->size();
  }
  return bytes;
}

std::vector<wire::JobInput> Scheduler::State::inputs_of(const Subject& s, const Lane& lane,
                                                        const EventRange& events) const {
  std::vector<wire::JobInput> inputs;
  for (std::uint32_t needed : layout_of(s).needs[lane.index]) {
    const Lane& up = s.lanes[needed];
    wire::JobInput& input = inputs.emplace_back();
    input.lambda = plan.lambdas[up.lambda].name;
    input.outputs.reserve(events.count);
    for (std::uint32_t i = 0; i < events.count; ++i) {
      const auto at = up.outputs->entries.find(events[i].sequence);
      CAPE_CHECK(at != up.outputs->entries.end());  // what waits is dropped before its inputs are
      input.outputs.push_back(at->second);
    }
  }
  return inputs;
}

// ---- what a lambda gives

bool Scheduler::State::outputs_full(const Lane& lane) const {
  const OutputBudget& budget = budget_of(lane);
  const std::uint64_t used = lane.outputs->used();
  return used > 0 && used + budget.job_bytes_max > budget.lane_bytes_max;
}

// What is kept are outputs of jobs that were done ahead: no dependant can take any before this stretch is done.
bool Scheduler::State::has_only_ahead(const Lane& lane, const Stretch& stretch) const {
  const LaneOutputs& kept = *lane.outputs;
  return &stretch == &lane[0] && kept.reserved == 0 &&
         (kept.entries.empty() || kept.entries.begin()->first > lane.at());
}

bool Scheduler::State::is_full_for(const Lane& lane, const Stretch& stretch) const {
  return outputs_full(lane) && !has_only_ahead(lane, stretch);
}

void Scheduler::State::take_outputs(Subject& s, Lane& lane, const Job& job, const wire::JobStatus& status,
                                    std::uint32_t events_done) {
  for (std::uint32_t i = 0; i < events_done; ++i)
    lane.outputs->put(job.events[i].sequence, i < status.outputs.size() ? status.outputs[i] : nullptr);
  charge(s, place_of_lane(s, lane));
  if (lane.queued && first_ready(lane) == nullptr) queues.remove(lane);  // it is full now
}

// However it ended.
void Scheduler::State::end_job(Lane& lane, const Job& job) {
  limit_of(lane.lambda).on_end();
  if (!lane.outputs) return;
  CAPE_CHECK(lane.outputs->reserved >= job.outputs_bytes_max);
  lane.outputs->reserved -= job.outputs_bytes_max;
}

// ---- skipped events: nobody runs them again, and they gave nothing

bool Scheduler::State::was_skipped(const Lane& lane, Sequence sequence) const {
  return std::ranges::any_of(lane.passed, [sequence](const storage::SequenceRange& range) {
    return range.first <= sequence && sequence <= range.last;
  });
}

Sequence Scheduler::State::pass_over_skipped(Lane& lane, const EventBlock& block, Sequence next,
                                             Sequence end) {
  const std::size_t first = block.first_after(next - 1);
  for (std::size_t i = first; i < block.entries.size() && block.entries[i].sequence <= end; ++i) {
    const Sequence sequence = block.entries[i].sequence;
    if (!was_skipped(lane, sequence)) continue;
    if (i > first) return sequence - 1;
    lane.outputs->put(sequence, nullptr);
    return sequence;
  }
  return end;
}

// The lane is about to pass over the event, which is the next one unless it runs again from further back.
void Scheduler::State::skip_in(Lane& lane, Sequence sequence) {
  const Stretch& first = lane[0];
  const auto behind = std::ranges::find_if(
      lane.passed, [sequence](const storage::SequenceRange& range) { return range.first > sequence; });
  if (!was_skipped(lane, sequence)) lane.passed.insert(behind, {sequence, sequence});
  if (!first.failed_ahead || first.cursor == sequence - 1)
    lane.outputs->put(sequence, nullptr);
  else
    lane.outputs->restart(sequence);
}

}  // namespace cape::scheduler
