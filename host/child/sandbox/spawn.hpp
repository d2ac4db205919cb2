// spawn() makes the process of cape-runner: clone into namespaces, then exec, without copying our memory and
// without running anything in between that is not safe while other threads hold locks.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "host/child/layout.hpp"
#include "host/child/sandbox/cgroup.hpp"

namespace cape::child {

struct SpawnOrder {
  std::string program;  // path of cape-runner
  bool namespaces = true;
  bool host_network = false;          // no network namespace of its own
  const GroupDoors* doors = nullptr;  // of the control group it begins in; null: ours
  int null_fd = -1;                   // for stdin and stdout
  int stderr_fd = -1, control_fd = -1, reaper_fd = -1;
};

struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;
  bool in_group = false;  // it came through the doors; else it has to be moved
};

// Returns when the program runs. Error: the step that failed, and why; no process is left.
Result<Spawned> spawn(const SpawnOrder& order);

// Whether this machine lets us clone into namespaces; tried by doing it.
bool namespaces_allowed();

}  // namespace cape::child
