#include "core/clock.hpp"

#include <ctime>

namespace cape {
namespace {

std::int64_t read_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return t.tv_sec * ns_per_s + t.tv_nsec;
}

}  // namespace

std::int64_t boot_ns() { return read_ns(CLOCK_BOOTTIME); }
std::int64_t wall_ns() { return read_ns(CLOCK_REALTIME); }
Now SystemClock::now() const { return {.boot_ns = boot_ns(), .wall_ns = wall_ns()}; }

}  // namespace cape
