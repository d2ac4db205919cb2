// host/check/in_process.hpp
// For `cape plugin check --in-process`: a plugin on a thread of this process, for a debugger or a sanitizer.
// The code that runs it is the runner's (serve()), over the same rings; around it there is nothing: no
// sandbox, no limit, no timeout. What crashes it crashes this process, and kill() only asks it to stop. Each
// start loads a copy of the file below /tmp, so that its globals are new, and never unloads it. Thread: one;
// destruction waits for the plugin to return, however long that takes.
#pragma once

#include <memory>

#include "host/check/trial.hpp"

namespace cape::check {

// Nothing is timed out there: somebody may sit before a debugger.
inline constexpr std::int64_t in_process_ms_max = 7LL * 24 * 3'600 * 1'000;

Result<std::unique_ptr<child::LambdaChild>> start_lambda_in_process(const TrialSpec& spec);
Result<std::unique_ptr<child::SourceChild>> start_source_in_process(const TrialSpec& spec);

}  // namespace cape::check
