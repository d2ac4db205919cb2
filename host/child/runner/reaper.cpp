#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

enum class Cause { plugin_ended, host_gone, lease_passed };

std::uint64_t microseconds(const timeval& t) {
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_usec);
}

// Only what the reaper itself looks at stays open; fd_life stays, as a sign that this process is there.
void keep_own_descriptors() {
  for (const int fd : {0, 1, 2, static_cast<int>(fd_control), static_cast<int>(fd_request),
                       static_cast<int>(fd_response), static_cast<int>(fd_plugin), static_cast<int>(fd_setup)})
    close(fd);
}

bool lease_is_over(std::int64_t end_ns) {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return end_ns != 0 && now.tv_sec * 1'000'000'000 + now.tv_nsec >= end_ns;
}

// Boot time and not a poll timeout: a lease goes on while the machine sleeps.
void set_timer(int timer, std::int64_t end_ns) {
  itimerspec wish = {};
  wish.it_value = {end_ns / 1'000'000'000, end_ns % 1'000'000'000};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &wish, nullptr);
}

// The host writes a byte when it gives the first lease; later ones are found when the timer of the one before
// runs out, so that an idle child wakes up once a lease.
Cause wait(int plugin, int timer, const RequestHeader& request) {
  pollfd watched[] = {{fd_reaper, POLLIN, 0}, {plugin, POLLIN, 0}, {timer, POLLIN, 0}};
  for (;;) {
    const auto end_ns = static_cast<std::int64_t>(request.lease_end_ns.value.load());
    if (lease_is_over(end_ns)) return Cause::lease_passed;
    set_timer(timer, end_ns);
    if (poll(watched, 3, -1) < 0 && errno != EINTR) return Cause::host_gone;
    if (watched[1].revents != 0) return Cause::plugin_ended;
    char bytes[16];
    if (watched[0].revents != 0 && recv(fd_reaper, bytes, sizeof bytes, MSG_DONTWAIT) == 0) return Cause::host_gone;
  }
}

ReaperReport bury(pid_t plugin, Cause cause) {
  ReaperReport report = {.magic = reaper_magic, .wait_status = 0, .lease_passed = cause == Cause::lease_passed,
                         .reserved = 0, .user_us = 0, .system_us = 0, .peak_kib = 0};
  if (cause != Cause::plugin_ended) kill(plugin, SIGKILL);
  rusage used = {};
  while (wait4(plugin, &report.wait_status, __WALL, &used) < 0 && errno == EINTR) {}
  report.user_us = microseconds(used.ru_utime);
  report.system_us = microseconds(used.ru_stime);
  report.peak_kib = static_cast<std::uint64_t>(used.ru_maxrss);
  return report;
}

}  // namespace

[[noreturn]] void reap(ReaperWatch watch) {
  const int plugin = static_cast<int>(syscall(SYS_pidfd_open, watch.plugin, 0));
  const int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
  keep_own_descriptors();
  prctl(PR_SET_NAME, "cape-reaper");
  // Without these there is nothing to watch with: the end of pid 1 takes everything with it.
  if (plugin < 0 || timer < 0) {
    kill(watch.plugin, SIGKILL);
    _exit(exit_code_setup);
  }
  const Cause cause = wait(plugin, timer, *watch.request);
  const ReaperReport report = bury(watch.plugin, cause);
  if (getpid() == 1) {  // elsewhere -1 would be everybody's processes
    kill(-1, SIGKILL);
    while (wait4(-1, nullptr, __WALL, nullptr) > 0 || errno == EINTR) {}
  }
  send(fd_reaper, &report, sizeof report, MSG_DONTWAIT | MSG_NOSIGNAL);
  _exit(0);
}

}  // namespace cape::child
