#include "wire/zmq/envelope.hpp"

#include <zmq.hpp>

namespace cape::wire {
namespace {

// nullopt: none now. Other errors of recv (the context ends, a signal) also mean that there is none now.
std::optional<zmq::message_t> receive_frame(zmq::socket_t& socket) {
  zmq::message_t frame;
  if (::zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
  return frame;
}

bool send_frame(zmq::socket_t& socket, std::string_view bytes, int flags) {
  return ::zmq_send(socket.handle(), bytes.data(), bytes.size(), ZMQ_DONTWAIT | flags) >= 0;
}

}  // namespace

std::optional<Envelope> receive_envelope(zmq::socket_t& socket) {
  Envelope envelope;
  bool in_limits = true;
  // All frames of a message arrive together, so this ends with its last one; those past a limit are read and
  // forgotten.
  while (true) {
    const auto frame = receive_frame(socket);
    if (!frame) return std::nullopt;
    if (!frame->more()) {
      if (in_limits) envelope.payload = frame->to_string();
      return envelope;
    }
    in_limits =
        in_limits && envelope.route.size() < route_frames_max && frame->size() <= route_frame_bytes_max;
    if (in_limits) envelope.route.push_back(frame->to_string());
  }
}

bool send_envelope(zmq::socket_t& socket, const Route& route, std::string_view payload) {
  for (const std::string& frame : route)
    if (!send_frame(socket, frame, ZMQ_SNDMORE)) return false;
  return send_frame(socket, payload, 0);
}

}  // namespace cape::wire
