// Identity is who a child runs as, in the host's view, and the id maps that make it possible.
//
//   host is root, a read or write grant      owner of the first such directory
//   host is root, state alone or no grant    an id that nobody uses
//   host is an ordinary user, or root of a   the host's own id: it can map no other
//   container that maps no other id
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"

namespace cape::child {

struct Identity {
  std::uint32_t uid = 0, gid = 0;
  bool root_host = false;
  bool unused = false;  // uid is nobody else's
};

// `salt` spreads children over the unused ids. A state directory keeps the unused id it has.
// Error: a granted directory cannot be looked at; the message names it.
Result<Identity> choose_identity(const ChildSpec& spec, std::uint64_t salt);

// mkdir -p, and gives the last directory to `identity`.
Result<void> prepare_state_dir(const fs::path& dir, const Identity& identity);

// Writes uid_map and gid_map of `pid`, which sits in a new user namespace of ours: every id that a child may
// be given.
Result<void> map_ids(pid_t pid);

}  // namespace cape::child
