// Events that appear below a bound which their source had given: what was handed out last is read again, a
// part at a time, as a refresh walk has it read, and in the end those that the windows show are told, or have
// run. Only the store and the lambdas are looked at.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t look_on_every_ns = 20 * ms;
constexpr std::uint32_t look_batch = 6;

// A lane that stands behind it gets it in its turn.
const storage::LambdaCursor* lane_that_passed(const storage::CursorInfo& info, const TopologySpec& topology,
                                              std::uint32_t lambda, Sequence sequence) {
  const auto at = std::ranges::find(info.topologies, topology.name, &storage::TopologyCursor::topology);
  if (at == info.topologies.end() || at->lambdas[lambda].cursor < sequence) return nullptr;
  return &at->lambdas[lambda];
}

}  // namespace

void Simulation::add_look(SubjectId subject, tracker::QueryPlan& plan) {
  const storage::CursorInfo* info = stored(subject);
  if (!options_.late_events || !info || info->given.empty()) return;
  if (!looks_left_.contains(subject) && !chance(0.3)) return;
  tracker::Look& look = looks_[subject];
  if (look.from < info->given.from || look.from > look.to) look = {info->given.from, info->given.to};
  if (std::ranges::find(plan.queries, look.from, &tracker::PlannedQuery::start) == plan.queries.end())
    plan.queries.push_back({.start = look.from, .events_max = look_batch});
}

void Simulation::note_look(SubjectId subject, const EventBlock& block) {
  const auto look = looks_.find(subject);
  if (look == looks_.end() || look->second.from != block.proven_from) return;
  look->second.from = block.proven_to + 1;
  if (look->second.from <= look->second.to) return;
  looks_left_.erase(subject);
  looked_to_[subject] = look->second.to;
}

// Once failures have ended, so that no look is lost.
void Simulation::look_everywhere() {
  looks_.clear(), looked_to_.clear();
  for (const auto& [subject, stored] : store_)
    if (options_.late_events && !stored.info.given.empty()) looks_left_.insert(subject);
  look_on();
}

void Simulation::look_on() {
  for (SubjectId subject : looks_left_) ping(subject);
  if (!looks_left_.empty()) at(look_on_every_ns, [this] { look_on(); });
}

// The first late event that a window shows and that neither ran nor is told; empty: there is none. A topology
// that is not known when an event appears is not told of it, and a baseline's start is not looked at.
std::string Simulation::late_unfinished() {
  if (!looks_left_.empty()) return "not everything that was handed out last was read again";
  if (options_.config_changes || !options_.late_events) return {};
  for (const auto& [subject, stored] : store_)
    for (TopologyIndex topology : life_.live()) {
      if (all_.topologies[topology].from_baseline || lied_about_.contains(subject)) continue;
      if (std::string what = late_unfinished(topology, subject, stored.info); !what.empty()) return what;
    }
  return {};
}

std::string Simulation::late_unfinished(TopologyIndex topology, SubjectId subject,
                                        const storage::CursorInfo& info) {
  const TopologySpec& spec = all_.topologies[topology];
  const std::vector<SourceEvent>& events = source_.events(subject);
  // A window that grew on disk after the look began has more in it than was read again.
  const auto looked = looked_to_.find(subject);
  const Sequence looked_to = looked == looked_to_.end() ? 0 : std::min(looked->second, info.given.to);
  for (std::size_t place = source_.place_of(subject, info.given.from); place < events.size(); ++place) {
    const SourceEvent& event = events[place];
    if (event.sequence > looked_to || spec.mode == Mode::latest) return {};
    if (!event.late || !event.visible || event.sequence < checkers_.start_of(topology, subject)) continue;
    for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
      const storage::LambdaCursor* lane = lane_that_passed(info, spec, i, event.sequence);
      if (!lane || checkers_.has_run(spec.first_lambda + i, subject, place)) continue;
      const auto told = std::ranges::find(lane->late.events, event.sequence, &storage::LateEvent::sequence);
      const bool is_counted = lane->late.more > 0 && lane->late.more_from <= event.sequence;
      if (told == lane->late.events.end() && is_counted) continue;
      if (told != lane->late.events.end() &&
          (spec.late == Late::report || (told->parked && options_.park_after)))
        continue;
      return fmt::format("subject {}: {} has passed the late event {}, which {}", subject, spec.name,
                         event.sequence, told == lane->late.events.end() ? "is not told" : "has not run");
    }
  }
  return {};
}

}  // namespace cape::scheduler
