#include "broker/scheduler/record.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace cape::scheduler {
namespace {

using storage::LambdaCursor;
using storage::TopologyCursor;

template <class Items, class Name>
const typename Items::value_type* find_by_name(const Items& items, Name Items::value_type::*field,
                                               const Name& name) {
  const auto at = std::ranges::find(items, name, field);
  return at == items.end() ? nullptr : &*at;
}

bool is_planned(const SchedulerPlan& plan, const DomainLayout& layout, const TopologyPlace& place,
                const std::string& lambda) {
  for (std::uint32_t i = 0; i < place.lane_count; ++i)
    if (plan.lambdas[layout.lambda_of[place.first_lane + i]].name == lambda) return true;
  return false;
}

// Where a lambda without a record of its own begins: at the lowest cursor of those that have one.
Sequence joining_cursor(const TopologySpec& spec, const SchedulerPlan& plan, const DomainLayout& layout,
                        const TopologyPlace& place, const TopologyCursor* stored, Sequence start) {
  if (!stored) return start;
  std::optional<Sequence> planned, any;
  for (const LambdaCursor& at : stored->lambdas) {
    if (is_planned(plan, layout, place, at.lambda))
      planned = std::min(planned.value_or(at.cursor), at.cursor);
    any = std::min(any.value_or(at.cursor), at.cursor);
  }
  return planned ? *planned : any.value_or(spec.start - 1);
}

void load_stretch(Stretch& open, const LambdaCursor& stored) {
  open.cursor = stored.cursor;
  open.attempts = stored.attempts;
  open.failed_sequence = stored.failed_sequence;
  open.failed_ahead = true;
  open.next_try_wall_ns = stored.next_try_wall_ns;
  open.failing_since_wall_ns = stored.failing_since_wall_ns;
  open.parked = stored.parked;
  open.reason = stored.reason;
}

constexpr Sequence no_start = -1;

void load_topology(Subject& subject, std::uint32_t index, const SchedulerPlan& plan,
                   const DomainLayout& layout, const storage::CursorInfo* info, bool baseline_runs) {
  const TopologyPlace& place = layout.topologies[index];
  const TopologySpec& spec = plan.topologies[place.topology];
  const TopologyCursor* stored =
      info ? find_by_name(info->topologies, &TopologyCursor::topology, spec.name) : nullptr;
  const Sequence start = start_cursor(info, spec.name, baseline_runs ? no_start : spec.start - 1);
  const bool unplaced = !stored && start == no_start;
  const Sequence joining = unplaced ? 0 : joining_cursor(spec, plan, layout, place, stored, start);
  for (std::uint32_t i = place.first_lane; i < place.first_lane + place.lane_count; ++i) {
    Lane& lane = subject.lanes[i];
    lane.lambda = layout.lambda_of[i];
    lane.index = i;
    lane.open.cursor = joining;
    lane.unplaced = unplaced;
    const auto* at =
        stored ? find_by_name(stored->lambdas, &LambdaCursor::lambda, plan.lambdas[lane.lambda].name)
               : nullptr;
    if (at) load_stretch(lane.open, *at);
    if (at) lane.passed = at->passed;
    if (at && !at->late.empty()) {
      lane.late = std::make_unique<LateLane>(LateLane{.told = at->late});
      begin_late(*lane.late, spec.late == Late::run);
      subject.saved_behind = true;
    }
    if (at) subject.saved_behind |= at->parked || at->cursor < subject.latest;
    // It failed while it ran again for the sake of its outputs.
    const bool failed_again = lane.open.failed_sequence > 0 && lane.open.failed_sequence <= lane.open.cursor;
    lane.reached = failed_again ? lane.open.cursor : 0;
    if (failed_again) lane.open.cursor = lane.open.failed_sequence - 1;
    if (!layout.needed_by[i].empty()) {
      lane.outputs = std::make_unique<LaneOutputs>();
      lane.outputs->from = lane.at();
    }
    lane.saved_cursor = lane.cursor();
  }
  if (!stored) return;
  if (stored->paused) {
    if (!subject.control) subject.control = std::make_unique<Control>();
    subject.control->pauses.push_back({index, stored->pause_reason});
  }
  for (const LambdaCursor& at : stored->lambdas) {
    if (is_planned(plan, layout, place, at.lambda)) continue;
    if (!subject.strangers) subject.strangers = std::make_unique<Strangers>();
    subject.strangers->lambdas.push_back({index, at});
  }
}

void load_strange_topologies(Subject& subject, const SchedulerPlan& plan, const DomainLayout& layout,
                             const storage::CursorInfo& stored) {
  for (const TopologyCursor& topology : stored.topologies) {
    const bool planned = std::ranges::any_of(layout.topologies, [&](const TopologyPlace& place) {
      return plan.topologies[place.topology].name == topology.topology;
    });
    if (planned) continue;
    if (!subject.strangers) subject.strangers = std::make_unique<Strangers>();
    subject.strangers->topologies.push_back(topology);
  }
}

LambdaCursor make_lambda(const Lane& lane, const SchedulerPlan& plan) {
  const Stretch& troubled = lane.troubled();
  if (lane.late) keep_late(*lane.late);
  return {.lambda = plan.lambdas[lane.lambda].name,
          .cursor = lane.cursor(),
          .attempts = troubled.attempts,
          .failed_sequence = troubled.failed_sequence,
          .next_try_wall_ns = troubled.next_try_wall_ns,
          .failing_since_wall_ns = troubled.failing_since_wall_ns,
          .parked = troubled.parked,
          .reason = troubled.reason,
          .passed = lane.passed,
          .late = lane.late ? lane.late->told : storage::LateEvents{}};
}

}  // namespace

Sequence start_cursor(const storage::CursorInfo* stored, const std::string& topology, Sequence otherwise) {
  const auto* at = stored ? find_by_name(stored->starts, &storage::FixedStart::topology, topology) : nullptr;
  return at ? at->cursor : otherwise;
}

void load_record(Subject& subject, const SchedulerPlan& plan, const DomainLayout& layout,
                 const storage::CursorInfo* stored, const std::vector<bool>& baseline_runs) {
  if (stored) subject.latest = subject.saved_latest = stored->latest;
  if (stored) subject.given = stored->given;
  subject.lanes.resize(layout.lambda_of.size());
  for (std::uint32_t i = 0; i < layout.topologies.size(); ++i)
    load_topology(subject, i, plan, layout, stored, baseline_runs[layout.topologies[i].topology]);
  if (stored) load_strange_topologies(subject, plan, layout, *stored);
}

storage::CursorInfo make_record(const Subject& subject, const SchedulerPlan& plan,
                                const DomainLayout& layout) {
  storage::CursorInfo info{.latest = subject.latest, .topologies = {}, .starts = {}, .given = subject.given};
  info.topologies.reserve(layout.topologies.size());
  for (std::uint32_t index = 0; index < layout.topologies.size(); ++index) {
    const TopologyPlace& place = layout.topologies[index];
    if (place.lane_count > 0 && subject.lanes[place.first_lane].unplaced) continue;
    TopologyCursor& topology = info.topologies.emplace_back();
    topology.topology = plan.topologies[place.topology].name;
    topology.lambdas.reserve(place.lane_count);
    for (std::uint32_t i = 0; i < place.lane_count; ++i)
      topology.lambdas.push_back(make_lambda(subject.lanes[place.first_lane + i], plan));
    const Control::Pause* pause = subject.control ? subject.control->pause_of(index) : nullptr;
    topology.paused = pause != nullptr;
    if (pause) topology.pause_reason = pause->reason;
  }
  if (!subject.strangers) return info;
  for (const Strangers::LambdaOf& stranger : subject.strangers->lambdas) {
    const std::string& name = plan.topologies[layout.topologies[stranger.topology].topology].name;
    const auto at = std::ranges::find(info.topologies, name, &TopologyCursor::topology);
    if (at != info.topologies.end()) at->lambdas.push_back(stranger.lambda);
  }
  for (const TopologyCursor& topology : subject.strangers->topologies) info.topologies.push_back(topology);
  return info;
}

}  // namespace cape::scheduler
