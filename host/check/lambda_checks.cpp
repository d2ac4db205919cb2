// The checks that run a lambda, each in children of its own.
#include <fmt/format.h>

#include "core/clock.hpp"
#include "core/types.hpp"
#include "host/check/check.hpp"
#include "host/check/lambda_runs.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::check {
namespace {

constexpr std::int64_t long_ms = 500;  // an event that runs for longer is cancelled
constexpr std::int64_t grace_ns = 2 * ns_per_s;
constexpr std::uint64_t log_lines_max = 60;  // of a dozen events

Finding check_settings(const Bench& bench) {
  const std::string huge = fmt::format(R"({{"text":"{}"}})", std::string(256u << 10, 's'));
  for (const std::string& settings :
       {std::string("{}"), std::string(R"({"a":{"b":[1,-2.5,true]},"":"","\u0001":"\u2028"})"), huge}) {
    const StateDir state;
    TrialSpec spec = lambda_of(bench, state.path());
    spec.config_json = settings;
    const Result<LambdaTrial> ran = try_lambda(spec, {}, {.ms_max = check_ms_max});
    if (!ran) return {Verdict::skipped, ran.error().message};
    if (!ran->ready && refused_config(ran->ended)) continue;
    if (Finding bad = judge_end(*ran); bad.verdict != Verdict::pass) {
      bad.text = fmt::format("with settings of {} bytes: {}", settings.size(), bad.text);
      return bad;
    }
  }
  return {};
}

Finding check_payloads(const Bench& bench) {
  LambdaTrial trial;
  return run(bench, one_each(events_of("edges", edge_payloads())), trial);
}

Finding check_statuses(const Bench& bench) {
  LambdaTrial trial;
  if (Finding bad = run(bench, one_each(events_of("statuses", edge_payloads())), trial);
      bad.verdict != Verdict::pass)
    return bad;
  for (const child::ChildJobDone& done : trial.done) {
    const Outcome& end = done.status.end;
    if (done.fault == child::LambdaFault::unknown_status)
      return {Verdict::fail, end.reason + "; return one of cape/plugin.h"};
    if (done.fault == child::LambdaFault::no_status)
      return {Verdict::fail, end.reason + "; fill every entry of `out`"};
  }
  return {};
}

Finding check_batches(const Bench& bench) {
  return compare_batches(
      bench,
      {.drill = "C5", .applies = has_other_ways, .otherwise = "it has neither process_batch nor flush"},
      {job_of(1, seeded_events(bench, "batches", 130))});
}

Finding check_sameness(const Bench& bench) {
  const std::vector<wire::RunJob> jobs = {job_of(1, seeded_events(bench, "sameness", 20))};
  LambdaTrial first, second;
  if (Finding bad = run(bench, jobs, first); bad.verdict != Verdict::pass) return bad;
  if (Finding bad = run(bench, jobs, second); bad.verdict != Verdict::pass) return bad;
  if (summary(first) == summary(second)) return {};
  return {Verdict::warning,
          fmt::format("the same events gave other outcomes or outputs the second time (seed {}); "
                      "an event can run again, so they should not",
                      bench.seed)};
}

Finding check_cancel(const Bench& bench) {
  std::int64_t cancelled_ns = 0;
  LambdaTrialOptions options;
  options.watch = [&](child::LambdaChild& child) {
    const child::LambdaChild::Running running = child.running();
    if (running.job == 0 || cancelled_ns != 0 || boot_ns() - running.seen_started_ns < long_ms * ns_per_ms)
      return;
    child.cancel();
    cancelled_ns = boot_ns();
  };
  LambdaTrial trial;
  const Finding end = run(bench, one_each(events_of("cancel", {"x"})), trial, options);
  if (end.verdict == Verdict::skipped || cancelled_ns == 0) return end;
  const std::int64_t took_ns = trial.done.empty() ? grace_ns + 1 : trial.done[0].status.end_ns - cancelled_ns;
  if (took_ns <= grace_ns) return {};
  return {Verdict::warning,
          "an event ran on for more than 2 s after it was cancelled; look at is_cancelled in long loops, or "
          "it is killed"};
}

Finding check_exceptions(const Bench& bench) {
  LambdaTrial trial;
  if (Finding bad = run(bench, one_each(events_of("exceptions", edge_payloads())), trial);
      bad.verdict != Verdict::pass)
    return bad;
  for (const child::ChildJobDone& done : trial.done)
    if (done.fault == child::LambdaFault::exception)
      return {Verdict::fail, fmt::format("{}; catch it, and say by the outcome whether to try again",
                                         done.status.end.reason)};
  return {};
}

Finding check_log(const Bench& bench) {
  LambdaTrial trial;
  if (Finding bad = run(bench, {job_of(1, seeded_events(bench, "log", 12))}, trial);
      bad.verdict != Verdict::pass)
    return bad;
  if (trial.log_lines <= log_lines_max) return {};
  return {
      Verdict::warning,
      fmt::format("12 events gave {} lines of log; lines beyond the rate are dropped and hide what matters",
                  trial.log_lines)};
}

constexpr Check running[] = {
    {"C1", "create takes any settings or refuses them with BAD_CONFIG", check_settings},
    {"C3", "payloads of every kind and size leave it alive", check_payloads},
    {"C4", "it returns statuses that there are", check_statuses},
    {"C5", "events together give what they give one by one", check_batches},
    {"C7", "the same events give the same", check_sameness},
    {"C10", "a long event heeds its cancellation", check_cancel},
    {"C15", "no exception escapes", check_exceptions},
    {"C16", "it does not flood the log", check_log},
};

}  // namespace

std::span<const Check> lambda_checks() {
  return running;
}

}  // namespace cape::check
