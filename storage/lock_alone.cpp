#include "storage/lock_alone.hpp"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "core/clock.hpp"

namespace cape::storage {
namespace {

constexpr std::int64_t look_again_ms = 5;

}  // namespace

Result<bool> lock_alone(int fd, std::int64_t wait_ms) {
  const std::int64_t give_up_ns = boot_ns() + wait_ms * ns_per_ms;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(ErrorCode::io, "cannot lock it", errno);
    const std::int64_t left_ns = give_up_ns - boot_ns();
    if (left_ns <= 0) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left_ns, look_again_ms * ns_per_ms)));
  }
  return true;
}

}  // namespace cape::storage
