#include "broker/scheduler/why.hpp"

#include <fmt/format.h>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {

const char* name_of(Cause cause) {
  switch (cause) {
    case Cause::up_to_date:
      return "up_to_date";
    case Cause::late:
      return "late";
    case Cause::not_read:
      return "no_ping_yet";
    case Cause::being_read:
      return "being_read";
    case Cause::source_failed:
      return "source_failed";
    case Cause::source_went_back:
      return "source_went_back";
    case Cause::baseline_running:
      return "baseline_running";
    case Cause::waiting_after:
      return "waiting_after";
    case Cause::waiting_input:
      return "waiting_input";
    case Cause::outputs_full:
      return "outputs_full";
    case Cause::queued_for_credit:
      return "queued_for_credit";
    case Cause::rate_limited:
      return "rate_limited";
    case Cause::circuit_open:
      return "circuit_open";
    case Cause::no_host:
      return "no_host";
    case Cause::in_flight:
      return "in_flight";
    case Cause::backing_off:
      return "backing_off";
    case Cause::parked:
      return "parked";
    case Cause::paused:
      return "paused";
    case Cause::act_waits:
      return "act_waits";
  }
  return "unknown";
}

namespace {

bool waits_for_credit(const Lane& lane) {
  for (std::size_t i = 0; i < lane.size(); ++i)
    if (lane[i].waiting && lane[i].job == 0) return true;
  return false;
}

const Stretch* first_rest(const Lane& lane) {
  const Stretch* soonest = nullptr;
  for (std::size_t i = 0; i < lane.size(); ++i)
    if (lane[i].rest != Rest::none && (!soonest || lane[i].timer_ns < soonest->timer_ns)) soonest = &lane[i];
  return soonest;
}

// For a lambda of which no host has said anything.
std::string label_wait_of(const LambdaSpec& spec) {
  if (spec.where.empty()) return {};
  std::string labels;
  for (const auto& [name, value] : spec.where)
    labels += fmt::format("{}{} = \"{}\"", labels.empty() ? "" : ", ", name, value);
  return fmt::format("no host has the labels that lambda '{}' asks for: {}", spec.name, labels);
}

}  // namespace

// What a lane waits for that is neither parked nor paused, and has no job out.
void Scheduler::State::explain_wait(const Subject& s, const TopologyPlace& place, const Lane& lane,
                                    Why& why) const {
  if (const Stretch* rest = first_rest(lane)) {
    why.cause = rest->rest == Rest::rereading ? Cause::source_failed : Cause::backing_off;
    why.detail = rest->rest == Rest::rereading
                     ? fmt::format("the source tells of events up to {} and gives none behind {}", s.latest,
                                   rest->position())
                     : rest->reason;
    why.sequence = rest->failed_sequence;
    why.attempt = rest->attempts;
    why.until_ns = rest->timer_ns > 0 ? rest->timer_ns : now.boot_ns + rest->next_try_wall_ns - now.wall_ns;
    return;
  }
  if (explain_outputs(s, lane, why)) return;
  if (waits_for_credit(lane)) {
    std::string trouble = hosts.trouble(lane.lambda);
    if (trouble.empty()) trouble = label_wait_of(plan.lambdas[lane.lambda]);
    const bool taken = hosts.takes(lane.lambda);
    if (taken && explain_circuit(lane, why)) return;
    if (const TopologyLimit& bound = limits[place.topology]; taken && bound.is_blocked()) {
      why.cause = Cause::rate_limited;
      why.detail = bound.has_job_room() ? fmt::format("the topology may run {} events a second",
                                                      plan.topologies[place.topology].events_per_s)
                                        : fmt::format("the topology may have {} jobs at once",
                                                      plan.topologies[place.topology].jobs_max);
      return;
    }
    why.cause = taken ? Cause::queued_for_credit : Cause::no_host;
    why.detail = taken ? "every child that may run it is busy" : trouble;
    return;
  }
  if (lane.cursor() >= s.latest) {
    why.cause = Cause::up_to_date;
    return;
  }
  if (lane.cursor() >= limit(s, lane)) {
    why.cause = Cause::waiting_after;
    why.detail = wait_of(s, place);
    return;
  }
  if (const Lane* needed = awaited_input(s, lane)) {
    // What it waits for may itself wait for something that a person can change.
    if (first_rest(*needed) || waits_for_credit(*needed)) {
      why.lambda = needed->lambda;
      return explain_wait(s, place, *needed, why);
    }
    why.cause = Cause::waiting_input;
    why.detail = input_wait_of(s, lane, *needed);
    return;
  }
  why.cause = s.ping_out || s.more_answers ? Cause::being_read : Cause::not_read;
}

// The lambda whose output the lane needs for its next event and has not; null: there is none.
const Lane* Scheduler::State::awaited_input(const Subject& s, const Lane& lane) const {
  for (std::uint32_t needed : layout_of(s).needs[lane.index]) {
    const Lane& up = s.lanes[needed];
    if (up.outputs->from > lane.at() || up.at() <= lane.at()) return &up;
  }
  return nullptr;
}

std::string Scheduler::State::input_wait_of(const Subject& s, const Lane& lane, const Lane& needed) const {
  return fmt::format("lambda '{}' waits behind {} for what lambda '{}' gives, which is {} and stands at {}{}",
                     plan.lambdas[lane.lambda].name, lane.at(), plan.lambdas[needed.lambda].name,
                     name_of(state_of(s, needed)), needed.at(),
                     needed.at() < needed.cursor() ? ": it runs again, since its outputs were not kept" : "");
}

bool Scheduler::State::explain_outputs(const Subject& s, const Lane& lane, Why& why) const {
  if (!lane.outputs) return false;
  const bool is_full = outputs_full(lane) && lane.at() < s.latest;
  if (!is_full && (lane.outputs->ticket == 0 || !waits_for_credit(lane))) return false;
  const OutputBudget& budget = budget_of(lane);
  why.cause = Cause::outputs_full;
  why.detail = is_full
                   ? fmt::format(
                         "lambda '{}' has given {} bytes for events that other lambdas have yet to "
                         "run, {} may wait (outputs_bytes_max)",
                         plan.lambdas[lane.lambda].name, lane.outputs->used(), budget.lane_bytes_max)
                   : fmt::format(
                         "outputs of other subjects take all {} bytes that those of the topology may "
                         "take (outputs_bytes_max)",
                         budget.bytes_max);
  return true;
}

Why Scheduler::State::why_of(const Subject& s, const TopologyPlace& place) const {
  Why why{.topology = place.topology, .cursor = cursor_of(s, place)};
  if (place.lane_count == 0) return why;
  const Lane& lane = heaviest(s, place);
  why.lambda = lane.lambda;
  const auto index = static_cast<std::uint32_t>(&place - layout_of(s).topologies.data());
  const bool act_waits = s.control && std::ranges::any_of(s.control->acts, [&](const Control::Pending& act) {
                           return act.place == index && needs_fence(act.act);
                         });
  if (act_waits) {
    why.cause = Cause::act_waits;
    why.detail = lane.has_jobs() ? "an operator's act waits until its jobs have ended"
                                 : "an operator's act is being stored";
    return why;
  }
  if (awaits_baseline(s, place)) {
    why.cause = Cause::baseline_running;
    why.detail = awaits_baseline_reason;
    return why;
  }
  const Stretch& troubled = lane.troubled();
  if (lane.parked()) {
    why.cause = troubled.reason.starts_with("source_went_back") ? Cause::source_went_back : Cause::parked;
    why.detail = troubled.reason;
    why.sequence = troubled.failed_sequence;
    why.attempt = troubled.attempts;
    return why;
  }
  if (!lane.has_jobs() && is_paused(s, index)) {
    why.cause = Cause::paused;
    why.detail = pause_reason(s, place);
    return why;
  }
  for (std::size_t i = 0; i < lane.size(); ++i) {
    const Job* job = lane[i].job != 0 ? jobs.find(lane[i].job) : nullptr;
    if (!job) continue;
    why.cause = Cause::in_flight;
    why.job = job->id;
    why.host = job->host;
    why.since_ns = job->issued_ns;
    why.sequence = job->events.first_sequence();
    why.attempt = lane[i].attempts;
    return why;
  }
  explain_wait(s, place, lane, why);
  if (why.cause == Cause::up_to_date) explain_late(s, place, why);
  return why;
}

std::vector<Why> Scheduler::why(SubjectId subject, DomainIndex domain,
                                const storage::CursorInfo* stored) const {
  const Subject* held = state_->subjects.find(subject);
  std::optional<Subject> loaded;
  if (held == nullptr) held = &loaded.emplace(state_->subject_of(subject, domain, stored));
  std::vector<Why> all;
  for (const TopologyPlace& place : state_->layout_of(*held).topologies)
    all.push_back(state_->why_of(*held, place));
  return all;
}

}  // namespace cape::scheduler
