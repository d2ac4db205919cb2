// tests/wire/transport_ends.hpp
// Both ends of a transport, joined: in one process, or over ZeroMQ through a socket in a directory of the
// test.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include <zmq.hpp>

#include "tests/fakes/temp_dir.hpp"
#include "wire/zmq/host_transport.hpp"

namespace cape::test {

inline bool is_readable(int fd, int timeout_ms = 0) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, timeout_ms) == 1;
}

// Another thread or process has to do something first.
inline bool eventually(const std::function<bool()>& what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!what()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// The next message within 20 s.
template <class End>
auto wait_for(End& end) {
  decltype(end.receive()) message;
  eventually([&] {
    message = end.receive();
    return message.has_value();
  });
  return message;
}

enum class Way { in_process, zmq };

class Ends {
 public:
  explicit Ends(Way way, int queue_messages_max = 4096) {
    if (way == Way::in_process) {
      auto pair = wire::make_in_process_transport(static_cast<std::size_t>(queue_messages_max));
      broker = std::move(pair.broker);
      host = std::move(pair.host);
      return;
    }
    limits.queue_messages_max = queue_messages_max;
    limits.linger_ms = 0;
    gate = wire::Gate::open(broker_context, {}).value();
    listen();
    host = connect();
    peer = greet(*host);
  }

  void listen() { broker = wire::open_broker_end(broker_context, *gate, endpoint, limits).value(); }
  std::unique_ptr<wire::HostEnd> connect() {
    return wire::open_host_end(host_context, endpoint, {}, limits).value();
  }
  // Says something, so that the broker's end numbers the connection.
  wire::PeerId greet(wire::HostEnd& end) {
    EXPECT_TRUE(eventually([&] { return end.send(wire::HostGoodbye{1}).has_value(); }));
    const auto said = wait_for(*broker);
    const auto asked = wait_for(end);
    EXPECT_TRUE(asked && std::holds_alternative<wire::HelloPlease>(*asked))
        << "the new connection was not noticed";
    return said ? said->peer : 0;
  }

  TempDir dir;
  std::string endpoint = "ipc://" + (dir / "run" / "hosts.sock").string();
  wire::SocketLimits limits = wire::host_limits;
  zmq::context_t broker_context{1}, host_context{1};
  std::unique_ptr<wire::Gate> gate;
  std::unique_ptr<wire::BrokerEnd> broker;
  std::unique_ptr<wire::HostEnd> host;
  wire::PeerId peer = 1;
};

}  // namespace cape::test
