#include "host/child/runner/threads.hpp"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <system_error>
#include <thread>

#include "core/clock.hpp"

namespace cape::child {
namespace {

constexpr int numbers_max = 1 << 16;

// The kernel numbers threads upwards, so a new one bounds those that there are. Where no further one may begin,
// all numbers are looked through.
int newest_thread() {
  int newest = 0;
  try {
    std::thread([&] { newest = static_cast<int>(::syscall(SYS_gettid)); }).join();
  } catch (const std::system_error&) {
    newest = ::getpid() + numbers_max;
  }
  return newest;
}

}  // namespace

int count_threads() {
  const int pid = ::getpid(), newest = newest_thread();
  if (newest <= pid || newest - pid > numbers_max) return -1;
  int threads = 0;
  for (int number = pid; number < newest; ++number)
    if (::syscall(SYS_tgkill, pid, number, 0) == 0) ++threads;
  return threads;
}

int count_threads(int most, std::int64_t wait_ns) {
  const std::int64_t until_ns = boot_ns() + wait_ns;
  int threads = count_threads();
  while (threads > most && boot_ns() < until_ns) {
    const timespec pause{.tv_sec = 0, .tv_nsec = 5 * ns_per_ms};
    ::nanosleep(&pause, nullptr);
    threads = count_threads();
  }
  return threads;
}

}  // namespace cape::child
