// host/child/runner/runner.hpp
// cape-runner, from exec to exit: main() enters the sandbox, forks the plugin's process (the first one stays
// as the reaper), and that one calls serve(). Links libstdc++, libm and libgcc alone: no host code, no libzmq.
#pragma once

#include <string>
#include <string_view>

#include "host/child/child_spec.hpp"
#include "host/child/layout.hpp"
#include "host/child/setup.hpp"

namespace cape::child {

struct RunnerContext {
  Setup setup;
  SandboxReport sandbox;
  const RequestHeader* request = nullptr;    // mapped read-only, ring behind it
  ResponseHeader* response = nullptr;        // mapped read-write, ring behind it
  std::string plugin_path;                   // for dlopen, absolute, inside the sandbox
};

// Stage 2 of seccomp and whatever else must be on before the first event. Returns its layer names.
Result<std::string> tighten(const RunnerContext& context);

// Loads the plugin, creates the instance, answers requests until it is told to stop. Returns the exit code.
int serve(RunnerContext& context);

// Writes the last words and exits with exit_code_setup. `check`: id of the one that the plugin fails, or
// empty; `status`: what init or create returned.
[[noreturn]] void fail_setup(ResponseHeader* response, Phase phase, const std::string& why,
                             std::string_view check = {}, std::int32_t status = 0);

}  // namespace cape::child
