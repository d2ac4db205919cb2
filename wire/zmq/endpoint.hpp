// wire/zmq/endpoint.hpp
// Binding and connecting ZeroMQ sockets the one way Cape does it: bounded queues, no lingering, ipc sockets
// in a directory of ours alone, tcp on loopback only or with CURVE. Thread: the socket's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "wire/zmq/keys.hpp"

namespace zmq {
class socket_t;
}

namespace cape::wire {

struct SocketLimits {
  int queue_messages_max = 1000;  // of each direction, per peer; what happens then is the socket type's
  std::int64_t message_bytes_max = 2 << 20;  // of one frame; a peer that sends more is disconnected
  int linger_ms = 0;                         // how long closing may wait for what is still queued
  int reconnect_max_ms = 1000;  // the wait between two attempts to connect grows from 5 ms to this
};
inline constexpr SocketLimits ping_limits{.queue_messages_max = 10'000, .message_bytes_max = 4096};

// How a tcp socket of the broker knows its clients; wire/zmq/gate.hpp answers for them.
struct ServerCurve {
  std::string secret_key;
  std::string role;
};

// Sets the limits, prepares the place of an ipc socket and binds. The directory of an ipc socket is made with
// mode 0700, or must be ours and closed to others; a socket file left by a dead process is taken away.
// invalid: no endpoint Cape allows. conflict: another process listens there, or a file that is no socket lies
// there. io: the operating system refused.
Result<void> bind_endpoint(zmq::socket_t& socket, const std::string& endpoint,
                           const SocketLimits& limits = {}, const std::optional<ServerCurve>& curve = {});

// Sets the limits and connects; returns at once, whether or not anybody listens. `keys`: for tcp.
Result<void> connect_endpoint(zmq::socket_t& socket, const std::string& endpoint,
                              const SocketLimits& limits = {}, const std::optional<ClientKeys>& keys = {});

// true: nobody listens there now. Known at once for ipc; false for tcp, where only a timeout tells.
bool is_unattended(const std::string& endpoint);

}  // namespace cape::wire
