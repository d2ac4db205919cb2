// tests/broker/scheduler/world.hpp
// World drives a Scheduler by hand: short words for inputs, and what came of the last step.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "broker/scheduler/scheduler.hpp"
#include "broker/scheduler/trace.hpp"
#include "core/error.hpp"

namespace cape::scheduler {

inline constexpr std::int64_t ms = ns_per_ms;
inline constexpr std::int64_t second = ns_per_s;

// Adds a topology of domain 0 and returns it, to be changed at will.
inline TopologySpec& add_topology(SchedulerPlan& plan, const std::string& name,
                                  std::vector<std::string> lambdas = {"run"}) {
  const auto index = static_cast<TopologyIndex>(plan.topologies.size());
  if (plan.of_domain.empty()) plan.of_domain.resize(1);
  plan.of_domain[0].push_back(index);
  plan.topologies.push_back({.name = name,
                             .first_lambda = static_cast<LambdaIndex>(plan.lambdas.size()),
                             .lambda_count = static_cast<std::uint32_t>(lambdas.size())});
  for (std::string& lambda : lambdas)
    plan.lambdas.push_back({.name = std::move(lambda), .plugin = "p", .topology = index});
  return plan.topologies.back();
}

inline SchedulerPlan one_topology() {
  SchedulerPlan plan;
  add_topology(plan, "audit");
  return plan;
}

// Proves [from, to] with these events, each with `payload_bytes` of payload.
inline EventBlockPtr block(Sequence from, Sequence to, std::vector<Sequence> sequences,
                           std::size_t payload_bytes = 1) {
  auto made = std::make_shared<EventBlock>();
  made->proven_from = from;
  made->proven_to = to;
  for (Sequence sequence : sequences) made->add(sequence, 0, "t", std::string(payload_bytes, 'x'));
  return made;
}
// Events from..to without gaps.
inline EventBlockPtr run_of(Sequence from, Sequence to, std::size_t payload_bytes = 1) {
  std::vector<Sequence> sequences;
  for (Sequence s = from; s <= to; ++s) sequences.push_back(s);
  return block(from, to, std::move(sequences), payload_bytes);
}
inline EventBlockPtr nothing() {
  return block(1, 0, {});
}

inline wire::JobStatus all_done(const IssueJob& job) {
  return {.job = job.job,
          .done_to = job.events.last_sequence(),
          .events_done = job.events.count,
          .end = {},
          .started = true};
}
inline wire::JobStatus failed_at(const IssueJob& job, Sequence sequence, OutcomeKind kind,
                                 std::string reason = "no") {
  Sequence done_to = 0;
  for (std::uint32_t i = 0; i < job.events.count; ++i)
    if (job.events[i].sequence < sequence) done_to = job.events[i].sequence;
  return {.job = job.job,
          .done_to = done_to,
          .end = {kind, std::move(reason)},
          .failed_sequence = sequence,
          .started = true};
}
inline wire::JobStatus never_started(const IssueJob& job, OutcomeKind kind) {
  return {.job = job.job,
          .end = {kind, "not begun"},
          .failed_sequence = job.events.first_sequence(),
          .started = false};
}

template <class T>
std::vector<T> all_of(const Actions& actions) {
  std::vector<T> found;
  for (const Action& action : actions)
    if (const T* a = std::get_if<T>(&action)) found.push_back(*a);
  return found;
}
inline std::vector<Notice> notices(const Actions& actions, Notice::Kind kind) {
  std::vector<Notice> found = all_of<Notice>(actions);
  std::erase_if(found, [kind](const Notice& n) { return n.kind != kind; });
  return found;
}

struct World {
  explicit World(SchedulerPlan plan = one_topology(), std::uint32_t epoch = 1)
      : scheduler(std::move(plan), epoch) {}

  Scheduler scheduler;
  Now now{.boot_ns = 1000 * second, .wall_ns = 1'700'000'000 * second};
  Actions last;
  std::string trace;  // of all steps

  const Actions& step(std::vector<Input> inputs) {
    last = scheduler.step(now, inputs);
    trace += fmt::format("@{}\n", now.boot_ns) + to_text(last);
    return last;
  }
  void advance(std::int64_t ns) {
    now.boot_ns += ns;
    now.wall_ns += ns;
  }
  // Lets time pass up to the next deadline; false: there is none.
  bool to_deadline() {
    const auto next = scheduler.next_deadline();
    if (!next) return false;
    if (*next > now.boot_ns) advance(*next - now.boot_ns);
    step({Tick{}});
    return true;
  }
  const Actions& host(HostId id, std::uint32_t jobs_max = 64, LambdaIndex lambdas = 1) {
    std::vector<Input> inputs{HostUp{.host = id, .name = fmt::format("h{}", id)}};
    for (LambdaIndex lambda = 0; lambda < lambdas; ++lambda)
      inputs.push_back(
          Credit{.host = id, .lambda = lambda, .jobs_max = jobs_max, .hash = "hash", .trouble = {}});
    return step(std::move(inputs));
  }
  const Actions& request(SubjectId subject, Sequence latest, EventBlockPtr events,
                         std::optional<storage::CursorInfo> stored = {}) {
    return step({make_request(subject, latest, std::move(events), std::move(stored))});
  }
  static SchedulingRequest make_request(SubjectId subject, Sequence latest, EventBlockPtr events,
                                        std::optional<storage::CursorInfo> stored = {}) {
    return {.subject = subject,
            .name = fmt::format("s{}", subject),
            .stored = std::move(stored),
            .latest = latest,
            .block = std::move(events)};
  }
  const Actions& status(HostId host_id, wire::JobStatus status) {
    return step({Status{host_id, std::move(status)}});
  }
  const Actions& saved(const SaveCursor& save) { return step({CursorSaved{save.subject, save.version}}); }

  // The one action of its kind in the last step.
  template <class T>
  T only() const {
    const auto found = all_of<T>(last);
    if (found.size() != 1) return fail_only<T>(found.size());
    return found.front();
  }
  template <class T>
  std::size_t count() const {
    return all_of<T>(last).size();
  }
  Sequence cursor(SubjectId subject, std::size_t topology = 0) const {
    return scheduler.view(subject, 0, nullptr).topologies[topology].cursor;
  }
  SubjectState state(SubjectId subject, std::size_t topology = 0) const {
    return scheduler.view(subject, 0, nullptr).topologies[topology].state;
  }

 private:
  template <class T>
  T fail_only(std::size_t found) const {
    fmt::print(stderr, "expected one action of the kind, found {} in:\n{}", found, to_text(last));
    CAPE_CHECK(!"one action of the kind was expected");
    return T{};
  }
};

inline storage::CursorInfo stored_at(Sequence latest, Sequence cursor) {
  return {.latest = latest,
          .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = cursor}}}}};
}

}  // namespace cape::scheduler
