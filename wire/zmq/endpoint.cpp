#include "wire/zmq/endpoint.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <zmq.hpp>

#include "core/config/endpoint.hpp"
#include "wire/zmq/ipc_place.hpp"

namespace cape::wire {
namespace {

// libzmq's default of 100 ms would be most of a broker's restart. It backs off while nobody listens.
constexpr int reconnect_ms = 5;
// A tcp peer that vanished without a word is noticed after this long; ipc tells by itself.
constexpr int beat_ms = 5'000;
constexpr int beat_timeout_ms = 15'000;

void set_limits(zmq::socket_t& socket, const SocketLimits& limits) {
  socket.set(zmq::sockopt::sndhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::rcvhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::maxmsgsize, limits.message_bytes_max);
  socket.set(zmq::sockopt::linger, limits.linger_ms);
  socket.set(zmq::sockopt::reconnect_ivl, reconnect_ms);
  socket.set(zmq::sockopt::reconnect_ivl_max, limits.reconnect_max_ms);
}

void prepare_tcp(zmq::socket_t& socket, const Endpoint& endpoint) {
  if (endpoint.is_ipv6) socket.set(zmq::sockopt::ipv6, true);
  if (endpoint.kind != Endpoint::Kind::tcp) return;
  socket.set(zmq::sockopt::heartbeat_ivl, beat_ms);
  socket.set(zmq::sockopt::heartbeat_timeout, beat_timeout_ms);
}

void set_curve(zmq::socket_t& socket, const ServerCurve& curve) {
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, curve.secret_key);
  socket.set(zmq::sockopt::zap_domain, curve.role);
}

void set_curve(zmq::socket_t& socket, const ClientKeys& keys) {
  socket.set(zmq::sockopt::curve_serverkey, keys.server_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

std::unexpected<Error> refused(const char* verb, const std::string& endpoint, const zmq::error_t& error) {
  const ErrorCode code = error.num() == EADDRINUSE ? ErrorCode::conflict : ErrorCode::io;
  return fail(code, fmt::format("cannot {} {}: {}", verb, endpoint, error.what()));
}

}  // namespace

Result<void> bind_endpoint(zmq::socket_t& socket, const std::string& endpoint, const SocketLimits& limits,
                           const std::optional<ServerCurve>& curve) {
  const auto parsed = parse_endpoint(endpoint, curve ? Reach::anywhere : Reach::loopback);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->kind == Endpoint::Kind::ipc)
    if (auto prepared = prepare_ipc_place(parsed->path); !prepared) return prepared;
  try {
    set_limits(socket, limits);
    prepare_tcp(socket, *parsed);
    if (curve && parsed->kind == Endpoint::Kind::tcp) set_curve(socket, *curve);
    socket.bind(endpoint);
  } catch (const zmq::error_t& error) {
    return refused("listen at", endpoint, error);
  }
  return {};
}

Result<void> connect_endpoint(zmq::socket_t& socket, const std::string& endpoint, const SocketLimits& limits,
                              const std::optional<ClientKeys>& keys) {
  const auto parsed = parse_endpoint(endpoint, keys ? Reach::anywhere : Reach::loopback);
  if (!parsed) return std::unexpected(parsed.error());
  try {
    set_limits(socket, limits);
    prepare_tcp(socket, *parsed);
    if (keys && parsed->kind == Endpoint::Kind::tcp) set_curve(socket, *keys);
    socket.connect(endpoint);
  } catch (const zmq::error_t& error) {
    return refused("connect to", endpoint, error);
  }
  return {};
}

bool is_unattended(const std::string& endpoint) {
  const auto parsed = parse_endpoint(endpoint, Reach::anywhere);
  return parsed && parsed->kind == Endpoint::Kind::ipc && !ipc_answers(parsed->path);
}

}  // namespace cape::wire
