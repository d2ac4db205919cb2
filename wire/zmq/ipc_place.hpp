// wire/zmq/ipc_place.hpp
// The place of an ipc socket in the file system. libzmq would take away whatever file lies where it is told
// to bind, and would make the socket reachable for everybody its directory lets in.
#pragma once

#include <filesystem>

#include "core/error.hpp"

namespace cape::wire {

// Makes the directories above `socket`, the last one with mode 0700, and takes a dead socket away. conflict:
// the directory is open to others, somebody listens, or a file that is no socket lies there.
Result<void> prepare_ipc_place(const std::filesystem::path& socket);

// A process listens at `socket`.
bool ipc_answers(const std::filesystem::path& socket);

}  // namespace cape::wire
