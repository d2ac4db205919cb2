#include "wire/zmq/endpoint.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <zmq.hpp>

#include "core/config/endpoint.hpp"
#include "wire/zmq/ipc_place.hpp"

namespace cape::wire {
namespace {

// libzmq's default of 100 ms would be most of a broker's restart. It backs off to a second while nobody
// listens.
constexpr int reconnect_ms = 5;
constexpr int reconnect_max_ms = 1000;

void set_limits(zmq::socket_t& socket, const SocketLimits& limits) {
  socket.set(zmq::sockopt::sndhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::rcvhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::maxmsgsize, limits.message_bytes_max);
  socket.set(zmq::sockopt::linger, limits.linger_ms);
  socket.set(zmq::sockopt::reconnect_ivl, reconnect_ms);
  socket.set(zmq::sockopt::reconnect_ivl_max, reconnect_max_ms);
}

std::unexpected<Error> refused(const char* verb, const std::string& endpoint, const zmq::error_t& error) {
  const ErrorCode code = error.num() == EADDRINUSE ? ErrorCode::conflict : ErrorCode::io;
  return fail(code, fmt::format("cannot {} {}: {}", verb, endpoint, error.what()));
}

}  // namespace

Result<void> bind_endpoint(zmq::socket_t& socket, const std::string& endpoint, const SocketLimits& limits) {
  const auto parsed = parse_endpoint(endpoint);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->kind == Endpoint::Kind::ipc)
    if (auto prepared = prepare_ipc_place(parsed->path); !prepared) return prepared;
  try {
    set_limits(socket, limits);
    if (parsed->is_ipv6) socket.set(zmq::sockopt::ipv6, true);
    socket.bind(endpoint);
  } catch (const zmq::error_t& error) {
    return refused("listen at", endpoint, error);
  }
  return {};
}

Result<void> connect_endpoint(zmq::socket_t& socket, const std::string& endpoint,
                              const SocketLimits& limits) {
  const auto parsed = parse_endpoint(endpoint);
  if (!parsed) return std::unexpected(parsed.error());
  try {
    set_limits(socket, limits);
    if (parsed->is_ipv6) socket.set(zmq::sockopt::ipv6, true);
    socket.connect(endpoint);
  } catch (const zmq::error_t& error) {
    return refused("connect to", endpoint, error);
  }
  return {};
}

bool is_unattended(const std::string& endpoint) {
  const auto parsed = parse_endpoint(endpoint);
  return parsed && parsed->kind == Endpoint::Kind::ipc && !ipc_answers(parsed->path);
}

}  // namespace cape::wire
