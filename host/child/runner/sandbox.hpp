// The steps between exec and serve(), in the order main() takes them. Each puts one layer on, or says why it
// cannot; main() alone decides what a missing layer means. Runs in one thread, before any plugin code.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/layout.hpp"
#include "host/child/setup.hpp"

namespace cape::child {

// Which layers are on and which are not, and the level they make together.
class Layers {
 public:
  void on(std::string layer) { on_.push_back(std::move(layer)); }
  void off(std::string_view layer, std::string_view why);  // `why` ends in the remedy if there is one
  bool has(std::string_view layer) const;
  bool has_landlock() const { return find("landlock:") != nullptr; }
  char level() const;
  SandboxReport report() const;

 private:
  const std::string* find(std::string_view start) const;

  std::vector<std::string> on_;
  std::string missing_;
};

// "layer: text of errno", for a layer that the kernel refuses.
std::unexpected<Error> refused(std::string_view what);

// ---- root.cpp: a root directory that holds the plugin and the granted directories, and nothing else.
// Returns the plugin's path inside. ErrorCode::unavailable: the kernel refuses and nothing has changed;
// any other error is final.
Result<std::string> enter_root(const Setup& setup, int plugin_fd);
// The same without a mount namespace: the plugin is loaded through its descriptor.
Result<std::string> stay_in_host_root(const Setup& setup);

// ---- privileges.cpp
// Becomes inner_uid:inner_gid without supplementary groups, and loses every capability for good.
Result<void> drop_to(const Setup& setup, Layers& layers);
// A user namespace without any id, so that no call that needs one can succeed; then drops what it gives.
Result<void> enter_nested_userns();
// After the last change of credentials, which undoes it: dies with its parent, cannot be looked into.
Result<void> bind_to_parent();
Result<void> forbid_new_privileges();

// ---- limits.cpp
Result<void> set_limits(const Setup& setup, Layers& layers);

// ---- landlock.cpp
// Returns the ABI that is now in force. ErrorCode::unavailable: this kernel has none.
Result<int> enter_landlock(const Setup& setup, std::string_view plugin_path);

// ---- filters.cpp
// Installs a BPF program, for all threads if `every_thread`.
Result<void> install_filter(std::string_view program, bool every_thread);

// ---- last_words.cpp
// Fatal signals and refused system calls leave their story in `response` before they end the process.
Result<void> install_last_words(ResponseHeader* response);

// ---- reaper.cpp
struct ReaperWatch {
  pid_t plugin = 0;
  const RequestHeader* request = nullptr;
};
// Waits for the plugin, the host's end or the end of the lease; leaves no process behind. Does not return.
[[noreturn]] void reap(ReaperWatch watch);

// ---- probe.cpp
// Tries to get out, with seccomp still off. Returns what succeeded, empty if nothing did.
std::string try_to_escape();

}  // namespace cape::child
