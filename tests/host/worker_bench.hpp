// tests/host/worker_bench.hpp
// Drives a Worker without processes: time moves by hand, what happened goes in by name, and what it decided
// comes out as lines such as "give 1 <- job 7", so that a whole trace stands in an expectation.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "host/worker/worker.hpp"

namespace cape::test {

inline wire::RunJob run_job(JobId id, const std::string& subject = "s", Sequence first = 1,
                            std::uint32_t count = 1, const std::string& hash = "aaaa") {
  EventBlock block;
  for (std::uint32_t i = 0; i < count; ++i) block.add(first + i, 0, "t", "payload");
  block.proven_from = first;
  block.proven_to = first + count - 1;
  wire::RunJob job;
  job.job = id;
  job.hash = hash;
  job.subject = subject;
  job.events = {std::make_shared<const EventBlock>(std::move(block)), 0, count};
  return job;
}

inline std::string text_of(const host::Action& action) {
  using namespace host;
  struct Text {
    std::string operator()(const StartChild& a) { return fmt::format("start {} {}", a.child, a.hash); }
    std::string operator()(const GiveJob& a) {
      const std::string range = a.job->events.count == 1 ? "" : fmt::format(" of {}", a.job->events.count);
      return fmt::format("give {} <- job {}{}{}", a.child, a.job->job, range, a.singly ? " singly" : "");
    }
    std::string operator()(const TakeBack& a) { return fmt::format("take back {}", a.child); }
    std::string operator()(const CancelChild& a) { return fmt::format("cancel {}", a.child); }
    std::string operator()(const KillChild& a) {
      return fmt::format("kill {} {}", a.child, name_of(a.why.kind));
    }
    std::string operator()(const StopChild& a) { return fmt::format("stop {}", a.child); }
    std::string operator()(const ReportStatus& a) {
      const wire::JobStatus& s = a.status;
      std::string text = fmt::format("status {} {}", s.job, name_of(s.end.kind));
      if (s.done_to != 0) text += fmt::format(" done to {} ({})", s.done_to, s.events_done);
      if (s.end.kind != OutcomeKind::ok)
        text += fmt::format(" {} {}", s.started ? "in" : "before", s.failed_sequence);
      return text;
    }
    std::string operator()(const ReportCredit& a) {
      return a.jobs_max > 0 ? fmt::format("credit {} {}", a.jobs_max, a.hash)
                            : fmt::format("no credit: {}", a.trouble);
    }
    std::string operator()(const ReportQuiet&) { return "quiet"; }
    std::string operator()(const ReportDrained&) { return "drained"; }
  };
  return std::visit(Text{}, action);
}

class WorkerBench {
 public:
  static host::WorkerPlan plan_of(host::WorkerLambda lambda) {
    host::WorkerPlan plan;
    plan.lambdas = {lambda};
    return plan;
  }
  static host::WorkerLambda lambda_of(std::uint32_t children_max) {
    return {.children_max = children_max, .timeout_ns = 10 * ns_per_s, .timeout_max_ns = 60 * ns_per_s};
  }

  explicit WorkerBench(std::uint32_t children_max = 1) : WorkerBench(plan_of(lambda_of(children_max))) {}
  explicit WorkerBench(host::WorkerPlan plan) : worker(std::move(plan)) {}

  template <class... In>
  std::vector<std::string> step(In&&... in) {
    std::vector<host::Input> inputs;
    (inputs.emplace_back(std::forward<In>(in)), ...);
    std::vector<std::string> lines;
    for (const host::Action& action : worker.step(now_ns, inputs)) lines.push_back(text_of(action));
    return lines;
  }
  std::vector<std::string> after_ms(std::int64_t ms) {
    now_ns += ms * ns_per_ms;
    return step(host::TimePassed{});
  }

  // ---- what happened
  static host::JobArrived job(JobId id, const std::string& subject = "s", Sequence first = 1,
                              std::uint32_t count = 1, const std::string& hash = "aaaa") {
    return {run_job(id, subject, first, count, hash)};
  }
  static host::PluginServes serves(const std::string& hash, const std::string& trouble = {}) {
    return {0, hash, trouble};
  }
  static host::ChildReported ready(host::ChildId child, std::uint32_t lambda_flags = 0) {
    child::ChildReady report;
    report.manifest.lambda_flags = lambda_flags;
    return {child, report};
  }
  // Its `count` events went well, in `took_ms`.
  host::ChildReported done(host::ChildId child, JobId id, Sequence to = 1, std::uint32_t count = 1,
                           std::int64_t took_ms = 1) const {
    wire::JobStatus status{.job = id, .done_to = to, .events_done = count, .end = {}};
    status.first_start_ns = now_ns - took_ms * ns_per_ms;
    status.end_ns = now_ns;
    return {child, child::ChildJobDone{.status = status, .outputs = {}}};
  }
  static host::ChildReported gave_back(host::ChildId child, JobId id, Sequence next = 1) {
    return {child, child::ChildJobDone{.status = cancelled(id, next), .outputs = {}}};
  }
  static host::ChildReported failed(host::ChildId child, JobId id, OutcomeKind kind, Sequence sequence = 1) {
    wire::JobStatus status = cancelled(id, sequence);
    status.end = {kind, "it said so"};
    status.started = true;
    return {child, child::ChildJobDone{.status = status, .outputs = {}}};
  }
  static wire::JobStatus cancelled(JobId id, Sequence next) {
    wire::JobStatus status{.job = id};
    status.end = {OutcomeKind::cancelled, "had not begun"};
    status.failed_sequence = next;
    return status;
  }
  // Left behind: in work when the child died, or untouched.
  static wire::JobStatus in_work(JobId id, Sequence sequence, Sequence done_to = 0,
                                 std::uint32_t events_done = 0) {
    wire::JobStatus status = cancelled(id, sequence);
    status.started = true;
    status.done_to = done_to;
    status.events_done = events_done;
    return status;
  }
  static wire::JobStatus untouched(JobId id, Sequence next = 1, Sequence done_to = 0,
                                   std::uint32_t events_done = 0) {
    wire::JobStatus status = in_work(id, next, done_to, events_done);
    status.started = false;
    return status;
  }
  static host::ChildReported ended(host::ChildId child, OutcomeKind kind,
                                   std::vector<wire::JobStatus> left = {}, bool had_started = true) {
    child::ChildEnded report;
    report.end = {kind, kind == OutcomeKind::ok ? "" : std::string(name_of(kind)) + " in the child"};
    report.had_started_an_event = had_started;
    report.left = std::move(left);
    return {child, std::move(report)};
  }
  host::ChildLooked sees(host::ChildId child, JobId id, Sequence sequence, std::int64_t started_ns,
                         std::int64_t heartbeat_ns) const {
    return {
        child,
        {.job = id, .sequence = sequence, .seen_started_ns = started_ns, .seen_heartbeat_ns = heartbeat_ns}};
  }

  // A session is open, the plugin serves.
  void open() { step(host::SessionStarted{}, serves("aaaa"), host::LeaseRenewed{now_ns + 1'000 * ns_per_s}); }
  // The same with child 1 ready, and jobs known to take 1 us, so that many go ahead of each other.
  void open_with_child() {
    open();
    step(job(1, "warm"));
    step(ready(1));
    now_ns += ns_per_ms;
    host::ChildReported quick = done(1, 1);
    auto& status = std::get<child::ChildJobDone>(quick.report).status;
    status.first_start_ns = status.end_ns - 1'000;
    step(std::move(quick));
  }

  std::int64_t now_ns = 1'000 * ns_per_s;
  host::Worker worker;
};

}  // namespace cape::test
