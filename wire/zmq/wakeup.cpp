#include "wire/zmq/wakeup.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include <zmq.hpp>

namespace cape::wire {
namespace {

bool watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<void> Wakeup::open(zmq::socket_t& socket) {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !event_) return fail_errno(ErrorCode::io, "no descriptor is left for a socket", errno);
  if (!watch(epoll_.get(), event_.get()) || !watch(epoll_.get(), socket.get(zmq::sockopt::fd)))
    return fail_errno(ErrorCode::io, "cannot wait for a socket", errno);
  look(socket);
  return {};
}

void Wakeup::raise() {
  if (!raised_) ::eventfd_write(event_.get(), 1);
  raised_ = true;
}

void Wakeup::lower() {
  eventfd_t count = 0;
  if (raised_) ::eventfd_read(event_.get(), &count);
  raised_ = false;
}

void Wakeup::look(zmq::socket_t& socket) {
  int events = 0;
  std::size_t size = sizeof events;
  if (::zmq_getsockopt(socket.handle(), ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0)
    raise();
}

}  // namespace cape::wire
