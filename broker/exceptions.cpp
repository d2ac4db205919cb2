#include "broker/exceptions.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/clock.hpp"

namespace cape::broker {
namespace {

using storage::LambdaCursor;
using storage::TopologyCursor;

const TopologyCursor* record_of(const storage::CursorInfo& info, const std::string& topology) {
  const auto at = std::ranges::find(info.topologies, topology, &TopologyCursor::topology);
  return at == info.topologies.end() ? nullptr : &*at;
}

bool is_configured(const TopologyConfig& topology, const LambdaCursor& lambda) {
  return std::ranges::find(topology.lambdas, lambda.lambda, &LambdaConfig::name) != topology.lambdas.end();
}

// Of those in trouble: a parked one, else the one that fails longest.
const LambdaCursor* troubled(const TopologyConfig& topology, const TopologyCursor* record) {
  const LambdaCursor* worst = nullptr;
  for (std::size_t i = 0; record && i < record->lambdas.size(); ++i) {
    const LambdaCursor& at = record->lambdas[i];
    if (!is_configured(topology, at) || (!at.parked && at.failing_since_wall_ns == 0)) continue;
    const bool is_worse =
        !worst || (at.parked && !worst->parked) ||
        (at.parked == worst->parked && at.failing_since_wall_ns < worst->failing_since_wall_ns);
    if (is_worse) worst = &at;
  }
  return worst;
}

const storage::LateEvents* late_events(const TopologyConfig& topology, const TopologyCursor* record) {
  const storage::LateEvents* most = nullptr;
  for (std::size_t i = 0; record && i < record->lambdas.size(); ++i) {
    const LambdaCursor& at = record->lambdas[i];
    if (at.late.empty() || !is_configured(topology, at)) continue;
    if (!most || at.late.count() > most->count()) most = &at.late;
  }
  return most;
}

// Up to date, but for them.
CoverageException late_exception(const storage::LateEvents& late, Late policy, CoverageException found) {
  found.cause = ExceptionCause::late;
  found.sequence = late.events.empty() ? late.more_from : late.events.front().sequence;
  found.attempts = late.events.empty() ? 0 : late.events.front().attempts;
  const std::string reason = late.events.empty() ? "" : late.events.front().reason;
  found.reason = fmt::format("{} event{} appeared below what the source had given{}{}{}", late.count(),
                             late.count() == 1 ? "" : "s",
                             policy == Late::run ? "" : ": rewind to it, or skip it by its sequence",
                             reason.empty() ? "" : "; it failed: ", reason);
  return found;
}

// The topologies before it that it cannot pass, if one of them is an exception.
const TopologyConfig* stopped_before(const Config& config, const TopologyConfig& topology,
                                     const storage::CursorInfo& info, Sequence latest,
                                     const PausedTopologies& paused, std::int64_t wall_ns) {
  const Sequence cursor = stored_cursor(topology, info);
  for (TopologyIndex earlier : topology.after) {
    const TopologyConfig& before = config.topologies[earlier];
    if (stored_cursor(before, info) > cursor) continue;
    if (exception_of(config, earlier, info, latest, paused, wall_ns)) return &before;
  }
  return nullptr;
}

}  // namespace

const char* name_of(ExceptionCause cause) {
  switch (cause) {
    case ExceptionCause::parked:
      return "parked";
    case ExceptionCause::failing:
      return "failing";
    case ExceptionCause::paused:
      return "paused";
    case ExceptionCause::waiting_after:
      return "waiting_after";
    case ExceptionCause::late:
      return "late";
  }
  return "unknown";
}

PausedTopologies by_name(const std::vector<storage::PausedTopology>& rows) {
  PausedTopologies paused;
  for (const storage::PausedTopology& row : rows) paused.emplace(row.topology, row.reason);
  return paused;
}

Sequence stored_cursor(const TopologyConfig& topology, const storage::CursorInfo& info) {
  if (const TopologyCursor* record = record_of(info, topology.name)) {
    std::optional<Sequence> lowest, any;
    for (const LambdaCursor& at : record->lambdas) {
      if (is_configured(topology, at)) lowest = std::min(lowest.value_or(at.cursor), at.cursor);
      any = std::min(any.value_or(at.cursor), at.cursor);
    }
    return lowest ? *lowest : any.value_or(0);
  }
  const auto start = std::ranges::find(info.starts, topology.name, &storage::FixedStart::topology);
  if (start != info.starts.end()) return start->cursor;
  return topology.start.kind == StartPosition::Kind::sequence ? topology.start.sequence - 1 : 0;
}

// Ends, since `after` goes round in no circle.
std::optional<CoverageException> exception_of(const Config& config, TopologyIndex index,
                                              const storage::CursorInfo& info, Sequence latest,
                                              const PausedTopologies& paused, std::int64_t wall_ns) {
  const TopologyConfig& topology = config.topologies[index];
  CoverageException found{.cursor = stored_cursor(topology, info), .reason = {}};
  const TopologyCursor* record = record_of(info, topology.name);
  const LambdaCursor* trouble = troubled(topology, record);
  const storage::LateEvents* late = late_events(topology, record);
  if (late) found.late = late->count();
  if (found.cursor >= latest && !(trouble && trouble->parked))
    return late ? std::optional(late_exception(*late, topology.late, std::move(found))) : std::nullopt;
  if (trouble) {
    found.sequence = trouble->failed_sequence;
    found.attempts = trouble->attempts;
    found.failing_since_ns = trouble->failing_since_wall_ns;
    found.reason = trouble->reason;
    found.stuck = trouble->failing_since_wall_ns != 0 &&
                  wall_ns - trouble->failing_since_wall_ns >= topology.stuck_after_ms * ns_per_ms;
  }
  if (trouble && trouble->parked) {
    found.cause = ExceptionCause::parked;
    return found;
  }
  if (found.stuck) {
    found.cause = ExceptionCause::failing;
    return found;
  }
  const auto whole = paused.find(topology.name);
  if ((record && record->paused) || whole != paused.end()) {
    found.cause = ExceptionCause::paused;
    found.reason = record && record->paused ? record->pause_reason : whole->second;
    return found;
  }
  if (const TopologyConfig* before = stopped_before(config, topology, info, latest, paused, wall_ns)) {
    found.cause = ExceptionCause::waiting_after;
    found.reason = fmt::format("comes after topology '{}', which is stopped", before->name);
    return found;
  }
  return std::nullopt;
}

}  // namespace cape::broker
