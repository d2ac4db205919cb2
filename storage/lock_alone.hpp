// storage/lock_alone.hpp
// Takes an flock for this process alone. Locks are of open files, so they outlive the process that took one as
// long as a child has it open.
#pragma once

#include <cstdint>

#include "core/error.hpp"

namespace cape::storage {

// False: somebody else has it, also after wait_ms.
Result<bool> lock_alone(int fd, std::int64_t wait_ms);

}  // namespace cape::storage
