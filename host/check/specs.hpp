// host/check/specs.hpp
// How the checks start a plugin, and how they judge an end. The sandbox is that of production at whatever
// level this machine has. Pure.
#pragma once

#include "host/check/check.hpp"
#include "host/check/trial.hpp"

namespace cape::check {

TrialSpec inspection_of(const Bench& bench);
TrialSpec lambda_of(const Bench& bench, const fs::path& state_dir);
TrialSpec source_of(const Bench& bench, const fs::path& state_dir);

// Did create refuse its settings, as it may?
bool refused_config(const child::ChildEnded& ended);
// pass: it went as it was asked to.
Finding judge_end(const child::ChildEnded& ended, bool timed_out);
Finding judge_end(const LambdaTrial& trial);

}  // namespace cape::check
