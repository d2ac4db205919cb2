#include "broker/poller.hpp"

#include <poll.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include <zmq.hpp>

namespace cape::broker {

void Poller::wait(BrokerState& b, std::int64_t timeout_ns) {
  if (std::exchange(again_, false)) return;
  std::vector<zmq::pollitem_t> items;
  auto watch_fd = [&](int fd) {
    if (fd >= 0) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  };
  for (void* socket :
       {b.frontend->push_socket(), b.frontend->ping_socket(), b.admin->socket(), b.monitor->socket()})
    items.push_back({socket, 0, ZMQ_POLLIN, 0});
  if (void* socket = b.options.gate.socket()) items.push_back({socket, 0, ZMQ_POLLIN, 0});
  watch_fd(b.options.transport.fd());
  watch_fd(b.options.store.fd());
  watch_fd(b.intake->fd());
  watch_fd(b.options.stop_fd);
  for (const SourceLink& link : b.links) watch_fd(link.fd());
  const auto timeout_ms = static_cast<long>((timeout_ns + ns_per_ms - 1) / ns_per_ms);
  // EINTR is a wake-up like any other; the loop looks at everything anyway.
  (void)::zmq_poll(reinterpret_cast<zmq_pollitem_t*>(items.data()), static_cast<int>(items.size()),
                   timeout_ms);
}

bool Poller::stop_asked(int stop_fd) {
  pollfd item{stop_fd, POLLIN, 0};
  if (stop_fd < 0 || ::poll(&item, 1, 0) <= 0) return false;
  char signal_info[128];  // a signalfd_siginfo, or the count of an eventfd
  return ::read(stop_fd, signal_info, sizeof signal_info) > 0;
}

}  // namespace cape::broker
