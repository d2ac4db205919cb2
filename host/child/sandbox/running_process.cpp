#include "host/child/sandbox/running_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/clock.hpp"

namespace cape::child {
namespace {

constexpr int doorbells_per_poll = 256;  // a child that floods does not keep us
constexpr int reads_per_poll = 16;       // of 4 KiB each

std::uint64_t microseconds(const timeval& t) {
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_usec);
}

// As waitpid() would give it; waitid() has it in pieces.
std::int32_t wait_status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return (info.si_status & 0xff) << 8;
  return (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
}

}  // namespace

RunningProcess::RunningProcess(ChildParts parts)
    : group_(std::move(parts.group)),
      group_missing_(std::move(parts.group_missing)),
      ends_(std::move(parts.ends)),
      spawned_(std::move(parts.spawned)),
      namespaces_(parts.namespaces) {}

RunningProcess::~RunningProcess() {
  kill();
  if (!reaped_) bury(true);
  if (namespaces_ || hung_up_) return;
  pollfd plugin = {ends_.control.get(), 0, 0};  // for its hang-up alone: it got SIGKILL with the reaper's end
  while (::poll(&plugin, 1, -1) < 0 && errno == EINTR) {
  }
}

Result<void> RunningProcess::watch() {
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return fail_errno(ErrorCode::unavailable, "epoll for a child", errno);
  for (const int fd : {ends_.control.get(), ends_.errors.get(), spawned_.pidfd.get()})
    if (Result<void> added = add(fd); !added) return added;
  return {};
}

Result<void> RunningProcess::add(int fd) {
  epoll_event wish = {};
  wish.events = EPOLLIN;
  wish.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wish) != 0)
    return fail_errno(ErrorCode::unavailable, "epoll for a child", errno);
  return {};
}

Result<void> RunningProcess::begin(SharedMemory memory, const GivenFds& given) {
  memory_ = std::move(memory);
  const std::array<int, fds_given.size()> fds{memory_.request_fd(), memory_.response_fd(), given.plugin,
                                              given.setup, given.life};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> space = {};
  char go = 'g';
  iovec bytes = {&go, 1};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const carried = CMSG_FIRSTHDR(&message);
  carried->cmsg_level = SOL_SOCKET;
  carried->cmsg_type = SCM_RIGHTS;
  carried->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(carried), fds.data(), sizeof fds);
  if (sendmsg(ends_.control.get(), &message, MSG_NOSIGNAL) != 1)
    return fail_errno(ErrorCode::unavailable, "the child ended at once", errno);
  return {};
}

// What has nothing more to say must not keep fd() readable.
void RunningProcess::forget(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Result<void> RunningProcess::back_request(std::uint64_t from, std::uint64_t bytes) {
  return memory_.back_request(from, bytes);
}

ChildProcess::Events RunningProcess::poll() {
  Events events;
  epoll_event ready[4];
  const int count = epoll_wait(epoll_.get(), ready, 4, 0);
  bool first_ended = false;
  for (int i = 0; i < count; ++i) {
    const int fd = ready[i].data.fd;
    if (fd == ends_.control.get()) events.doorbell = take_doorbells();
    if (fd == ends_.control.get() && (ready[i].events & EPOLLHUP) != 0) hang_up();
    if (fd == ends_.errors.get()) read_errors(events);
    first_ended |= fd == spawned_.pidfd.get();
  }
  if (first_ended && !reaped_) bury(false);
  notice_end(events);
  events.stderr_dropped = lines_.take_dropped();
  return events;
}

// recv() without a control buffer: descriptors that a child may attach are closed by the kernel.
bool RunningProcess::take_doorbells() {
  bool rung = false;
  char byte = 0;
  for (int i = 0; i < doorbells_per_poll && recv(ends_.control.get(), &byte, 1, MSG_DONTWAIT) > 0; ++i)
    rung = true;
  return rung;
}

void RunningProcess::hang_up() {
  hung_up_ = true;
  forget(ends_.control.get());
}

void RunningProcess::read_errors(Events& events) {
  char bytes[4096];
  for (int i = 0; i < reads_per_poll; ++i) {
    const ssize_t got = read(ends_.errors.get(), bytes, sizeof bytes);
    if (got > 0) lines_.feed({bytes, static_cast<std::size_t>(got)}, boot_ns(), events.stderr_lines);
    if (got > 0) continue;
    if (got == 0) forget(ends_.errors.get());
    return;
  }
}

// Pid 1 of a pid namespace ends only after the kernel has ended everything in it. Without one, the plugin's
// process is gone when the control socket, which a filter keeps it from closing, has no other end.
void RunningProcess::notice_end(Events& events) {
  if (ended_ || !reaped_ || (!namespaces_ && !hung_up_)) return;
  read_errors(events);
  lines_.finish(boot_ns(), events.stderr_lines);
  end_.out_of_memory = group_.ran_out_of_memory();
  group_ = ChildGroup();  // nobody is in it any more
  ended_ = true;
}

// What waitid() tells of the first process; then the reaper's report, if it lived to send one.
void RunningProcess::bury(bool wait) {
  siginfo_t info = {};
  rusage used = {};
  const int options = WEXITED | __WALL | (wait ? 0 : WNOHANG);
  long done = 0;
  do done = syscall(SYS_waitid, P_PIDFD, spawned_.pidfd.get(), &info, options, &used);
  while (done != 0 && errno == EINTR);
  if (done == 0 && info.si_pid == 0) return;
  reaped_ = true;
  forget(spawned_.pidfd.get());
  end_.wait_status = wait_status_of(info);
  end_.user_us = microseconds(used.ru_utime);
  end_.system_us = microseconds(used.ru_stime);
  end_.peak_kib = static_cast<std::uint64_t>(used.ru_maxrss);
  end_.reaper_lost = WIFSIGNALED(end_.wait_status) && !end_.killed_by_us;
  read_reaper_report();
}

void RunningProcess::read_reaper_report() {
  ReaperReport report = {};
  const ssize_t got = recv(ends_.reaper.get(), &report, sizeof report, MSG_DONTWAIT);
  if (got != sizeof report || report.magic != reaper_magic) return;
  end_.reaper_lost = false;
  end_.wait_status = report.wait_status;
  end_.lease_passed = report.lease_passed != 0;
  end_.user_us = report.user_us;
  end_.system_us = report.system_us;
  end_.peak_kib = report.peak_kib;
}

void RunningProcess::ring_doorbell() {
  // A full socket holds a doorbell that the child has not heard yet; a closed one is noticed by poll().
  send(ends_.control.get(), "d", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void RunningProcess::set_lease_end(std::int64_t end_boot_ns) {
  const std::uint64_t before =
      memory_.request().lease_end_ns.value.exchange(static_cast<std::uint64_t>(end_boot_ns));
  if (before == 0) send(ends_.reaper.get(), "l", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void RunningProcess::kill() {
  if (reaped_) return;
  end_.killed_by_us = true;
  syscall(SYS_pidfd_send_signal, spawned_.pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace cape::child
