// What operators ask of replays, and what they see of them.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker/replays.hpp"
#include "core/config/shadow.hpp"

namespace cape::broker {

using State = storage::Replay::State;

Result<std::uint64_t> Replays::begin(const Asked& asked, std::int64_t wall_ns) {
  const TopologyConfig& live = around_.config.topologies[asked.topology];
  if (std::string mistake = shadow_mistake(live); !mistake.empty())
    return fail(ErrorCode::conflict, std::move(mistake));
  const auto of_it = std::ranges::find(runs_, live.name, [](const Run& run) { return run.replay.topology; });
  if (of_it != runs_.end())
    return fail(ErrorCode::conflict,
                fmt::format("replay '{0}' of topology '{1}' {2}: try again when it has ended; see "
                            "cape replay list, and cape replay cancel {0}",
                            of_it->replay.name, live.name,
                            of_it->replay.state == State::ending ? "is being ended" : "runs"));
  if (runs_.size() >= running_max)
    return fail(ErrorCode::unavailable,
                fmt::format("{} replays run already, no more do at once: try again when one has ended, or "
                            "cancel one; see cape replay list",
                            running_max));
  storage::Replay replay{
      .id = last_id_ + 1,
      .name = asked.name.empty() ? fmt::format("{}-{}", live.name, last_id_ + 1) : asked.name,
      .topology = live.name,
      .subject = asked.subject,
      .from = asked.from,
      .to = asked.to,
      .state = asked.subject.empty() ? State::scanning : State::running,
      .token = {},
      .subjects = asked.subject.empty() ? 0u : 1u,
      .started_wall_ns = wall_ns,
      .reason = asked.reason};
  const auto has_name = [&](const Run& run) { return run.replay.name == replay.name; };
  const bool taken =
      std::ranges::any_of(runs_, has_name) ||
      std::ranges::any_of(views(), [&](const View& view) { return view.replay.name == replay.name; });
  if (taken)
    return fail(ErrorCode::conflict,
                fmt::format("a replay is called '{}' already: give this one another --name", replay.name));
  ++last_id_;
  Run& run = runs_.emplace_back(make_run(replay, asked.topology));
  run.is_new = run.answers = true;
  put(run, replay);
  if (!asked.subject.empty()) run.page->added.push_back(first_record(run, asked.subject, asked.latest));
  run.page->audit = storage::AuditEntry{.time_ns = wall_ns,
                                        .act = "replay",
                                        .domain = around_.config.domains[live.domain].name,
                                        .subject = asked.subject,
                                        .topology = live.name,
                                        .from = asked.from,
                                        .to = asked.to,
                                        .reason = asked.reason};
  return replay.id;
}

Result<std::uint64_t> Replays::cancel(const std::string& name, const std::string& reason,
                                      std::int64_t wall_ns) {
  const auto at = std::ranges::find(runs_, name, [](const Run& run) { return run.replay.name; });
  if (at == runs_.end()) {
    const auto known = std::ranges::find(ended_, name, &storage::Replay::name);
    if (known != ended_.end())
      return fail(ErrorCode::conflict, fmt::format("replay '{}' has ended already", known->name));
    return fail(ErrorCode::not_found,
                fmt::format("no replay '{}' runs; see cape replay list", printable(name, 80)));
  }
  if (at->is_new)
    return fail(ErrorCode::conflict, fmt::format("replay '{}' is being begun: try again", name));
  const bool ends = at->replay.state == State::ending || at->cancel ||
                    (at->page && at->page->replay.state == State::ending);
  if (ends) return fail(ErrorCode::conflict, fmt::format("replay '{}' is being ended already", name));
  const storage::Replay& replay = at->replay;
  const DomainIndex domain =
      around_.config.topologies[*around_.config.topologies[at->shadow].shadow_of].domain;
  at->cancel = storage::AuditEntry{.time_ns = wall_ns,
                                   .act = "cancel_replay",
                                   .domain = around_.config.domains[domain].name,
                                   .subject = replay.subject,
                                   .topology = replay.topology,
                                   .from = replay.from,
                                   .to = replay.to,
                                   .reason = reason};
  return replay.id;
}

std::vector<Replays::Stored> Replays::take_stored() {
  return std::exchange(stored_, {});
}

Replays::View Replays::view_of(const Run& run) const {
  std::string trouble = run.trouble;
  if (trouble.empty() && run.replay.state != State::ending) trouble = around_.reads.trouble(run.source);
  return {
      .replay = run.replay, .events = events_of(run), .counts = run.counts, .trouble = std::move(trouble)};
}

std::vector<Replays::View> Replays::views() const {
  std::vector<View> all;
  for (const storage::Replay& replay : ended_)
    all.push_back({.replay = replay, .events = replay.events, .counts = {}, .trouble = {}});
  for (const storage::Replay& replay : strays_)
    all.push_back({.replay = replay,
                   .events = replay.events,
                   .counts = {},
                   .trouble = "its topology is not in the config: it goes on when that is back"});
  for (const Run& run : runs_)
    if (!run.is_new) all.push_back(view_of(run));
  std::ranges::sort(all, {}, [](const View& view) { return view.replay.id; });
  return all;
}

std::optional<Replays::View> Replays::view_of(TopologyIndex shadow) const {
  const Run* run = find(shadow);
  return run ? std::optional(view_of(*run)) : std::nullopt;
}

bool Replays::busy() const {
  return std::ranges::any_of(runs_, [](const Run& run) {
    const ReplayCounts counts = run.counts.value_or(ReplayCounts{.behind = 1});
    return run.replay.state != State::running || run.page || run.cancel ||
           counts.behind + counts.failing > 0 || counts.parked == 0;
  });
}

bool Replays::stopped() const {
  return std::ranges::any_of(runs_, [](const Run& run) { return run.counts && run.counts->parked > 0; });
}

}  // namespace cape::broker
