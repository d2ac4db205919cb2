// The checks that run a lambda many times over: batches of every size, outputs over the cap, random events,
// speed.
#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "host/check/lambda_runs.hpp"

namespace cape::check {
namespace {

constexpr std::size_t random_events = 200, random_bytes_max = 4096;
constexpr std::size_t timed_events = 100;
constexpr std::int64_t slow_us = 10'000;  // of an event, on the median
constexpr std::uint32_t small_output_bytes = 8;

Finding check_sizes(const Bench& bench) {
  const BatchComparison comparison{
      .drill = "C6",
      .applies = takes_together,
      .otherwise = "it gets one event at a time; C5 runs its process_batch so, if it has one (several a call: "
                   "CAPE_LAMBDA_ORDERED_BATCH)"};
  for (const std::size_t size : {1u, 2u, 63u, 64u, 1000u}) {
    const std::vector<wire::RunJob> jobs = {job_of(1, seeded_events(bench, "sizes", size))};
    if (Finding found = compare_batches(bench, comparison, jobs); found.verdict != Verdict::pass) return found;
  }
  return {};
}

// The runner does not let an event count as done whose output it refused, so nothing is lost; but the lambda
// then believes what is not so.
Finding find_lost_output(const LambdaTrial& trial) {
  for (const child::ChildJobDone& done : trial.done)
    if (done.fault == child::LambdaFault::output_lost)
      return {Verdict::fail,
              fmt::format("it returned OK though its output had been refused, which Cape makes {}: {}; return "
                          "what emit returns",
                          name_of(done.status.end.kind), done.status.end.reason)};
  return {};
}

// The same events with room for their outputs and without.
Finding check_cap(const Bench& bench) {
  const std::vector<wire::RunJob> jobs = one_each(seeded_events(bench, "outputs", 5));
  LambdaTrial roomy, narrow;
  if (Finding bad = run(bench, jobs, roomy); bad.verdict != Verdict::pass) return bad;
  if (Finding bad = find_lost_output(roomy); bad.verdict != Verdict::pass) return bad;
  const StateDir state;
  TrialSpec spec = lambda_of(bench, state.path());
  spec.limits.output_bytes = small_output_bytes;
  if (Finding bad = run(std::move(spec), jobs, narrow); bad.verdict != Verdict::pass) return bad;
  if (Finding bad = find_lost_output(narrow); bad.verdict != Verdict::pass) return bad;
  bool any = false;
  for (std::size_t i = 0; i < std::min(roomy.done.size(), narrow.done.size()); ++i) {
    const std::vector<std::string>& outputs = roomy.done[i].outputs;
    if (outputs.empty() || outputs[0].size() <= small_output_bytes) continue;
    any = true;
    const bool fits = !narrow.done[i].outputs.empty() && !narrow.done[i].outputs[0].empty();
    if (!fits && is_done(narrow.done[i].status.end.kind))
      return {Verdict::fail,
              "its output was refused with LIMIT, and it returned SKIPPED: the output is lost; return what "
              "emit returns"};
  }
  return any ? Finding{} : Finding{Verdict::skipped, "it emits nothing that a cap could cut"};
}

Finding check_random(const Bench& bench) {
  std::mt19937_64 random(bench.seed);
  std::vector<std::string> payloads(random_events);
  for (std::string& payload : payloads) {
    payload.resize(random() % random_bytes_max);
    for (char& byte : payload) byte = static_cast<char>(random());
  }
  LambdaTrial trial;
  Finding bad = run(bench, one_each(events_of("random", payloads)), trial);
  if (is_bad(bad.verdict)) bad.text += fmt::format(" (again with --only F1 --seed {})", bench.seed);
  return bad;
}

Finding check_speed(const Bench& bench) {
  LambdaTrial trial;
  if (Finding bad = run(bench, one_each(seeded_events(bench, "speed", timed_events)), trial);
      bad.verdict != Verdict::pass)
    return bad;
  std::vector<std::int64_t> took_us;
  for (const child::ChildJobDone& done : trial.done)
    took_us.push_back((done.status.end_ns - done.status.first_start_ns) / 1'000);
  if (took_us.empty()) return {Verdict::skipped, "not checked: no event ran"};
  std::ranges::sort(took_us);
  const std::int64_t p50 = took_us[took_us.size() / 2], p99 = took_us[took_us.size() * 99 / 100];
  const std::string text = fmt::format("{} events alone: p50 {} us, p99 {} us", took_us.size(), p50, p99);
  if (p50 <= slow_us) return {Verdict::pass, text};
  return {Verdict::warning,
          text + "; a subject waits for its event: do less in it, or give it more children"};
}

constexpr Check of_batches[] = {
    {"C6", "batches of 1, 2, 63, 64 and 1000 events give what they give one by one", check_sizes},
    {"C9", "an output over the cap is not passed over", check_cap},
};
constexpr Check of_volume[] = {
    {"F1", "random events leave it alive", check_random},
    {"F2", "an event takes no long time", check_speed},
};

}  // namespace

std::span<const Check> batch_checks() {
  return of_batches;
}
std::span<const Check> volume_checks() {
  return of_volume;
}

}  // namespace cape::check
