#include "host/check/specs.hpp"

#include <system_error>

#include "plugin_api/include/cape/plugin.h"

namespace cape::check {
namespace {

TrialSpec spec_of(const Bench& bench, child::ChildKind kind, const fs::path& state_dir) {
  TrialSpec spec;
  spec.kind = kind;
  spec.image = bench.image;
  spec.domain = "check";
  spec.config_json = bench.settings_json;
  std::error_code gone;
  spec.config_dir = fs::current_path(gone);  // there is no config: names are relative to where one stands
  spec.grant = bench.grant;
  spec.grant.state = (bench.manifest.wants & CAPE_WANTS_STATE) != 0 && !state_dir.empty();
  if (spec.grant.state) spec.state_dir = state_dir / "state";
  spec.require_level = 'D';
  spec.in_process = bench.in_process;
  return spec;
}

}  // namespace

TrialSpec inspection_of(const Bench& bench) {
  return spec_of(bench, child::ChildKind::inspect, {});
}

TrialSpec lambda_of(const Bench& bench, const fs::path& state_dir) {
  TrialSpec spec = spec_of(bench, child::ChildKind::lambda, state_dir);
  spec.topology = "check";
  spec.lambda = "check";
  return spec;
}

TrialSpec source_of(const Bench& bench, const fs::path& state_dir) {
  return spec_of(bench, child::ChildKind::source, state_dir);
}

bool refused_config(const child::ChildEnded& ended) {
  return ended.end.kind == OutcomeKind::setup && ended.cause == OutcomeKind::bad_config;
}

Finding judge_end(const child::ChildEnded& ended, bool timed_out) {
  const Outcome& end = ended.end;
  if (timed_out || ended.cause == OutcomeKind::hung) return {Verdict::timeout, end.reason};
  if (end.kind == OutcomeKind::ok) return {};
  if (end.kind == OutcomeKind::external_kill) return {Verdict::skipped, end.reason};
  const bool died = ended.cause == OutcomeKind::signaled || ended.cause == OutcomeKind::exited;
  return {died ? Verdict::crashed : Verdict::fail, end.reason};
}

Finding judge_end(const LambdaTrial& trial) {
  return judge_end(trial.ended, trial.timed_out);
}

}  // namespace cape::check
