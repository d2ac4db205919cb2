// wire/zmq/host_transport.hpp
// The transport between processes: the broker's end is a ROUTER, a host's a DEALER; messages are those of
// docs/protocol.md. A connection is a peer: after a break the host is a new peer without a session, because
// what was under way when it broke may be lost. The host's socket tells the broker of each new connection by
// itself, and the broker's end answers with HelloPlease{0}, so that a host learns in milliseconds that it has
// to say something. A message that cannot be read is counted, told in the log and answered with
// HelloPlease{every_session}, for it may have held jobs or statuses; at most once a second.
//
// Queues: at most host_limits.queue_messages_max messages wait in each direction of a connection, those that
// libzmq holds. At the limit send() is unavailable and nothing is sent; jobs are bounded by the host's credit
// long before. Nothing is queued while there is no connection.
#pragma once

#include <memory>
#include <string>

#include "wire/transport.hpp"
#include "wire/zmq/endpoint.hpp"
#include "wire/zmq/gate.hpp"

namespace zmq {
class context_t;
}

namespace cape::wire {

inline constexpr SocketLimits host_limits{.queue_messages_max = 4096,
                                          .message_bytes_max = static_cast<std::int64_t>(message_bytes_max),
                                          .linger_ms = 1000,
                                          .reconnect_max_ms = 20};
inline constexpr std::size_t host_peers_max = 1024;  // connections remembered; the one longest silent goes

// Binds through `gate`. `context` must outlive the end; errors as those of bind_endpoint.
Result<std::unique_ptr<BrokerEnd>> open_broker_end(zmq::context_t& context, Gate& gate,
                                                   const std::string& endpoint,
                                                   const SocketLimits& limits = host_limits);

// Connects; returns at once, whether or not a broker listens. Its destructor may wait SocketLimits::linger_ms
// for what was sent last to leave.
Result<std::unique_ptr<HostEnd>> open_host_end(zmq::context_t& context, const std::string& endpoint,
                                               const std::optional<ClientKeys>& keys = {},
                                               const SocketLimits& limits = host_limits);

}  // namespace cape::wire
