#include "host/child/runner/channel.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace cape::child {
namespace {

const std::uint8_t* ring_of(const RequestHeader* header) {
  return reinterpret_cast<const std::uint8_t*>(header) + header_bytes;
}
std::uint8_t* ring_of(ResponseHeader* header) {
  return reinterpret_cast<std::uint8_t*>(header) + header_bytes;
}

}  // namespace

Channel::Channel(const RunnerContext& context)
    : request_(*context.request),
      response_(*context.response),
      ring_bytes_(context.setup.ring_bytes),
      control_fd_(context.control_fd),
      reader_(ring_of(context.request), ring_bytes_),
      writer_(ring_of(context.response), ring_bytes_) {}

std::optional<Frame> Channel::next_request() {
  const Result<std::optional<Frame>> frame = reader_.next(request_.head.value.load());
  // The host alone writes this ring: bytes that are no frame are a fault of ours.
  CAPE_CHECK(frame.has_value());
  return *frame;
}

void Channel::consumed() {
  response_.request_tail.value.store(reader_.position());
}

void Channel::wait_for_request() {
  ring_host();
  response_.child_sleeps.value.store(sleeps_for_request);
  const bool nothing = request_.head.value.load() == reader_.position() && !stopping();
  if (nothing) sleep();
  response_.child_sleeps.value.store(awake);
}

void Channel::wait_for_room(std::uint64_t body_bytes) {
  ring_host();
  response_.child_sleeps.value.store(sleeps_for_room);
  bool room = false;
  {
    const std::lock_guard lock(mutex_);
    room = writer_.find(body_bytes, request_.response_tail.value.load()).has_value();
  }
  if (!room) sleep();
  response_.child_sleeps.value.store(awake);
}

void Channel::ring_host() {
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t tail = request_.response_tail.value.load();
    if (request_.host_sleeps.value.load() == 0 || tail == writer_.head() || !doorbell_.must_ring(tail))
      return;
  }
  const char ring = 1;
  // A full socket holds a doorbell already; a closed one is noticed by the next sleep.
  (void)::send(control_fd_, &ring, sizeof ring, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// One doorbell, or several that came together. End of file: the host is gone, and so are we.
void Channel::sleep() const {
  char rings[16];
  for (;;) {
    const ssize_t n = ::recv(control_fd_, rings, sizeof rings, 0);
    if (n > 0) return;
    if (n < 0 && errno == EINTR) continue;
    ::_exit(0);
  }
}

}  // namespace cape::child
