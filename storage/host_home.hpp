// storage/host_home.hpp
// The home of a host is its data_dir, known by a random number in data_dir/host.id. Two hosts may be given
// one name, as by the default, which is the machine's; then a broker still tells them apart, and takes the
// word of neither for the jobs of the other.
#pragma once

#include <cstdint>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace cape::storage {

// The number, never 0; made if there is none that can be read: a new one is safe, it only makes a broker wait
// until the lease of the old one has passed. Requires: the host's data_dir lock is held. io: it cannot be
// kept.
Result<std::uint64_t> host_home(const fs::path& data_dir);

}  // namespace cape::storage
