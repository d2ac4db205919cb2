// The seccomp programs of a child, compiled once by the host, so that the runner needs no library for them.
//
//   guard  always on; allows by default, and refuses what no later list may allow again: touching the lock
//   and
//          the doorbell descriptors, the SIGSYS handler, memory that is writable and executable
//   load   allow-list while the plugin is loaded, initialised and created
//   run    allow-list from the first event on: nothing new becomes executable, and in profile pure no path
//   opens
//
// The strictest of the installed programs decides. On an allow-list: trapped calls end the child with
// VIOLATION, every unknown call fails with ENOSYS.
#pragma once

#include <string>

#include "core/error.hpp"

namespace cape::child {

enum class Profile { pure, files };
// tcp: connections may be made, to ports that landlock checks.
enum class Network { none, tcp };

struct FilterSet {
  std::string guard, load, run;  // struct sock_filter[]
};

// Error: libseccomp refuses; the message names the rule.
Result<FilterSet> compile_filters(Profile profile, Network network = Network::none);

}  // namespace cape::child
