#include "host/check/lambda_runs.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include <fmt/format.h>

#include "core/types.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::check {
namespace {

std::string_view output_of(const child::ChildJobDone& done, std::size_t event) {
  return event < done.outputs.size() ? std::string_view(done.outputs[event]) : std::string_view();
}

std::string shown(std::string_view output) {
  constexpr std::size_t bytes_max = 60;
  return output.empty() ? "nothing" : "'" + printable(output, bytes_max) + "'";
}

}  // namespace

Events events_of(const char* subject, const std::vector<std::string>& payloads) {
  Events events;
  for (const std::string& payload : payloads)
    events.push_back({.subject = subject,
                      .sequence = static_cast<Sequence>(events.size() + 1),
                      .time_ns = 1,
                      .type = "check",
                      .payload = payload});
  return events;
}

std::vector<wire::RunJob> one_each(const Events& events) {
  std::vector<wire::RunJob> jobs;
  for (const TrialEvent& event : events) jobs.push_back(job_of(jobs.size() + 1, std::span(&event, 1)));
  return jobs;
}

std::vector<std::string> edge_payloads() {
  std::string all(256, '\0');
  std::iota(all.begin(), all.end(), '\0');
  return {"", "x", "{\"a\":1}", "\xff\xfe\x80", all, std::string(1u << 20, 'm')};
}

Finding run(const Bench& bench, const std::vector<wire::RunJob>& jobs, LambdaTrial& trial,
            LambdaTrialOptions options) {
  const StateDir state;
  return run(lambda_of(bench, state.path()), jobs, trial, std::move(options));
}

Finding run(TrialSpec spec, const std::vector<wire::RunJob>& jobs, LambdaTrial& trial,
            LambdaTrialOptions options) {
  options.ms_max = check_ms_max;
  Result<LambdaTrial> ran = try_lambda(spec, jobs, options);
  if (!ran) return {Verdict::skipped, fmt::format("not checked: {}", ran.error().message)};
  trial = std::move(*ran);
  if (!trial.ready && refused_config(trial.ended))
    return {Verdict::skipped,
            fmt::format("create refuses the settings; give --settings: {}", trial.ended.end.reason), true};
  return judge_end(trial);
}

Finding drilled(const Bench& bench, const char* drill, const std::vector<wire::RunJob>& jobs,
                LambdaTrial& trial, LambdaTrialOptions options) {
  const StateDir state;
  TrialSpec spec = lambda_of(bench, state.path());
  spec.drill = drill;
  Finding found = run(std::move(spec), jobs, trial, std::move(options));
  if (is_bad(found.verdict) && trial.ended.check == drill) found.verdict = Verdict::fail;
  return found;
}

std::string summary(const LambdaTrial& trial) {
  std::string text;
  for (const child::ChildJobDone& done : trial.done) {
    text += fmt::format("{}/{}/{}\n", name_of(done.status.end.kind), done.status.events_done,
                        done.status.app_code);
    for (const std::string& output : done.outputs) text += output + "\n";
  }
  return text;
}

std::string difference(const LambdaTrial& singly, const LambdaTrial& together) {
  const child::ChildJobDone &one = singly.done[0], &other = together.done[0];
  for (std::size_t i = 0; i < std::min(one.status.events_done, other.status.events_done); ++i)
    if (output_of(one, i) != output_of(other, i))
      return fmt::format("event {} gives {} alone and {} together", i + 1, shown(output_of(one, i)),
                         shown(output_of(other, i)));
  return fmt::format("alone {} events are done, then {}; together {}, then {}", one.status.events_done,
                     name_of(one.status.end.kind), other.status.events_done,
                     name_of(other.status.end.kind));
}

Events seeded_events(const Bench& bench, const char* subject, std::size_t count) {
  std::mt19937_64 random(bench.seed);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < count; ++i)
    payloads.push_back(fmt::format(R"({{"n":{},"text":"{:x}"}})", i, random()));
  return events_of(subject, payloads);
}

bool has_other_ways(const LambdaTrial& trial) {
  return trial.ready->manifest.has_batch || trial.ready->manifest.has_flush;
}

bool takes_together(const LambdaTrial& trial) {
  const child::ManifestReport& manifest = trial.ready->manifest;
  const bool batches = manifest.has_batch && (manifest.lambda_flags & CAPE_LAMBDA_ORDERED_BATCH) != 0;
  return batches || manifest.has_flush;
}

Finding skipped_as_it_varies() {
  return {Verdict::skipped, "not checked: the same events give something else each time (C7)"};
}

Finding compare_batches(const Bench& bench, const BatchComparison& comparison,
                        const std::vector<wire::RunJob>& jobs) {
  LambdaTrial singly, together;
  if (Finding bad = drilled(bench, comparison.drill, jobs, singly, {.singly = true});
      bad.verdict != Verdict::pass)
    return bad;
  if (!comparison.applies(singly)) return {Verdict::skipped, comparison.otherwise};
  if (Finding bad = drilled(bench, comparison.drill, jobs, together); bad.verdict != Verdict::pass) return bad;
  if (summary(singly) == summary(together)) return {};
  const auto again = [&](LambdaTrial& trial) {
    return drilled(bench, comparison.drill, jobs, trial, {.singly = true});
  };
  if (varies(singly, again)) return skipped_as_it_varies();
  return {Verdict::fail, fmt::format("{} events together give something else than one by one (seed {}): {}",
                                     jobs[0].events.count, bench.seed, difference(singly, together))};
}

}  // namespace cape::check
