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
  bool filtered = false;                     // the first stage of seccomp is on
  const RequestHeader* request = nullptr;    // mapped read-only, ring behind it
  ResponseHeader* response = nullptr;        // mapped read-write, ring behind it
  std::string plugin_path;                   // for dlopen, absolute, inside the sandbox
  int control_fd = fd_control;               // doorbells
};

// Stage 2 of seccomp, which must be on before the first event. Returns its layer's name; empty where the kernel has
// no seccomp and the operator takes that.
Result<std::string> tighten(const RunnerContext& context);

// Loads the plugin, creates the instance, answers requests until it is told to stop. Returns the exit code.
int serve(RunnerContext& context);

inline constexpr std::uint32_t last_kind_setup = 1;

// The last words of a setup that failed, for the host to read.
inline void write_setup_words(ResponseHeader& response, Phase phase, std::string_view why, std::string_view check,
                              std::int32_t status) {
  const std::size_t bytes = why.copy(response.last_text, sizeof response.last_text - 1);
  response.last_text[bytes] = '\0';
  check.copy(response.last_check, sizeof response.last_check - 1);
  response.last_status = status;
  response.phase.store(static_cast<std::uint32_t>(phase));
  response.last_kind.store(last_kind_setup, std::memory_order_release);
}

// Writes the last words and exits with exit_code_setup. `check`: id of the one that the plugin fails, or
// empty; `status`: what init or create returned.
[[noreturn]] void fail_setup(ResponseHeader* response, Phase phase, const std::string& why,
                             std::string_view check = {}, std::int32_t status = 0);

}  // namespace cape::child
