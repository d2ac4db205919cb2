// wire/zmq/envelope.hpp
// One multipart ZeroMQ message as the way back to its sender and a payload. The payload is the last frame;
// the frames before it are repeated in the answer, so DEALER peers may number their questions and REQ peers
// need nothing special. Thread: the socket's; never blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zmq {
class socket_t;
}

namespace cape::wire {

inline constexpr std::size_t route_frames_max = 4;  // with the peer's identity
inline constexpr std::size_t route_frame_bytes_max = 256;

using Route = std::vector<std::string>;

struct Envelope {
  Route route;          // empty on sockets without a way back
  std::string payload;  // empty too for a message whose route passes a limit: no decoder takes it
};

// The next message; nullopt: none now.
std::optional<Envelope> receive_envelope(zmq::socket_t& socket);

// false: the peer's queue is full and nothing was sent. A peer that is gone loses its answer silently.
bool send_envelope(zmq::socket_t& socket, const Route& route, std::string_view payload);

}  // namespace cape::wire
