#include "wire/zmq/client_socket.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "wire/zmq/envelope.hpp"

namespace cape::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::int64_t timeout_ms_max = 24LL * 3'600'000;

std::unexpected<Error> no_broker(const std::string& endpoint) {
  return fail(ErrorCode::unavailable, not_reached(endpoint));
}

}  // namespace

// Over tcp a refusal looks like silence.
std::string not_reached(const std::string& endpoint) {
  if (endpoint.starts_with("tcp://"))
    return fmt::format(
        "refused or not reached: no broker took the connection to {}; check that it runs there, and that "
        "[keys] names a directory with a key it knows",
        endpoint);
  return fmt::format("no broker listens at {}; start one with `cape up`", endpoint);
}

Deadline deadline_after(std::int64_t timeout_ms) {
  return steady_clock::now() + milliseconds(std::clamp<std::int64_t>(timeout_ms, 0, timeout_ms_max));
}

bool wait_for(zmq::socket_t& socket, short events, Deadline deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    zmq_pollitem_t item{socket.handle(), 0, events, 0};
    const int ready = ::zmq_poll(&item, 1, std::max<long>(0, left));
    if (ready > 0) return true;
    const bool interrupted = ready < 0 && zmq_errno() == EINTR;
    if (!interrupted || left <= 0) return false;
  }
}

Result<zmq::socket_t> open_client(zmq::context_t& context, zmq::socket_type type, const std::string& endpoint,
                                  const std::optional<ClientKeys>& keys, const SocketLimits& limits) {
  try {
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::immediate, true);
    if (auto connected = connect_endpoint(socket, endpoint, limits, keys); !connected)
      return std::unexpected(connected.error());
    return socket;
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::io, fmt::format("cannot make a socket for {}: {}", endpoint, error.what()));
  }
}

Result<std::string> ask(zmq::socket_t& dealer, const std::string& endpoint, const std::string& request,
                        std::int64_t timeout_ms) {
  if (is_unattended(endpoint)) return no_broker(endpoint);
  const Deadline deadline = deadline_after(timeout_ms);
  if (!wait_for(dealer, ZMQ_POLLOUT, deadline) || !send_envelope(dealer, {}, request))
    return no_broker(endpoint);
  // Empty: a message of so many frames that no broker of ours sent it.
  if (wait_for(dealer, ZMQ_POLLIN, deadline))
    if (auto answer = receive_envelope(dealer)) return std::move(answer->payload);
  return fail(ErrorCode::unavailable,
              fmt::format("the broker at {} did not answer within {} ms", endpoint, timeout_ms));
}

}  // namespace cape::wire
