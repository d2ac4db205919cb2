// storage/life_lock.hpp
// The life lock tells a starting broker whether children of an earlier start still live. Each child keeps a
// descriptor of data_dir/children.lock open until it is gone, and with it a shared lock; so a start that gets
// the lock for itself knows that nothing of the past runs any more, even if that broker was killed. The
// children of a host hold another file, host_children.lock, so that it and a broker in one data_dir do not
// wait for each other.
#pragma once

#include <cstdint>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "storage/cursor_store.hpp"

namespace cape::storage {

// Waits up to `wait_ms` until no process of an earlier start holds the lock, then holds it shared on the
// returned descriptor (close-on-exec; children get copies of it). Blocks the caller, looking again every few
// milliseconds. conflict: time is over, names what to do. Requires: the data_dir lock is held, data_dir
// exists.
Result<UniqueFd> take_life_lock(const fs::path& data_dir, std::int64_t wait_ms, Part part = Part::broker);

}  // namespace cape::storage
