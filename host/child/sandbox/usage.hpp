// UsageReader reads what the plugin's process of a child uses, from the kernel's own count, so that the
// plugin has no say in it. Thread: one. Never blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "core/unique_fd.hpp"

namespace cape::child {

struct ChildUsage {
  std::uint64_t cpu_ms = 0;          // of all its threads, since its start
  std::uint64_t resident_bytes = 0;  // now
};

class UsageReader {
 public:
  // nullopt: there is no such process yet, or any more, or this machine does not show it. `reaper`: whose one
  // child it is.
  std::optional<ChildUsage> read(pid_t reaper);

 private:
  UniqueFd stat_;  // stays that of one process, whoever gets its number later
};

}  // namespace cape::child
