#include "host/check/lambda_runs.hpp"

#include <numeric>
#include <random>

#include <fmt/format.h>

#include "plugin_api/include/cape/plugin.h"

namespace cape::check {

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

std::string summary(const LambdaTrial& trial) {
  std::string text;
  for (const child::ChildJobDone& done : trial.done) {
    text += fmt::format("{}/{}/{}\n", name_of(done.status.end.kind), done.status.events_done,
                        done.status.app_code);
    for (const std::string& output : done.outputs) text += output + "\n";
  }
  return text;
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

}  // namespace cape::check
