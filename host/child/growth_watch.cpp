#include "host/child/growth_watch.hpp"

#include <fmt/format.h>

namespace cape::child {

std::string GrowthWatch::look(std::uint64_t resident_bytes, std::uint64_t most) {
  if (first_bytes_ == 0) first_bytes_ = resident_bytes;
  if (resident_bytes <= most || resident_bytes < first_bytes_ + most / 8) return {};
  return fmt::format("it has {} MiB in memory, more than limits.recycle, {} MiB", resident_bytes >> 20,
                     most >> 20);
}

}  // namespace cape::child
