#include "wire/ping_client.hpp"

#include <fmt/format.h>

#include "wire/codec.hpp"
#include "wire/zmq/client_socket.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::wire {

struct PingClient::State {
  PingEndpoints endpoints;
  zmq::context_t context{1};
  zmq::socket_t push;
  zmq::socket_t dealer;  // open from the first ping_wait() on

  Result<void> open_push(int linger_ms) {
    SocketLimits limits = ping_limits;
    limits.linger_ms = linger_ms;
    auto opened = open_client(context, zmq::socket_type::push, endpoints.push, endpoints.keys, limits);
    if (!opened) return std::unexpected(opened.error());
    push = *std::move(opened);
    return {};
  }
  Result<void> open_dealer() {
    if (dealer) return {};
    auto opened = open_client(context, zmq::socket_type::dealer, endpoints.ping, endpoints.keys, ping_limits);
    if (!opened) return std::unexpected(opened.error());
    dealer = *std::move(opened);
    return {};
  }
};

PingClient::PingClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
PingClient::PingClient(PingClient&&) noexcept = default;
PingClient& PingClient::operator=(PingClient&&) noexcept = default;
PingClient::~PingClient() = default;

Result<PingClient> PingClient::connect(const PingEndpoints& endpoints, int linger_ms) {
  auto state = make_state<State>();
  if (!state) return std::unexpected(state.error());
  (*state)->endpoints = endpoints;
  if (auto opened = (*state)->open_push(linger_ms); !opened) return std::unexpected(opened.error());
  return PingClient(*std::move(state));
}

Result<void> PingClient::ping(const Ping& message) {
  if (send_envelope(state_->push, {}, encode(message))) return {};
  return fail(ErrorCode::unavailable,
              fmt::format("the ping was dropped: no broker takes pings at {} now", state_->endpoints.push));
}

Result<void> PingClient::wait_for_broker(std::int64_t timeout_ms) {
  const std::string& endpoint = state_->endpoints.push;
  if (!is_unattended(endpoint) && wait_for(state_->push, ZMQ_POLLOUT, deadline_after(timeout_ms))) return {};
  return fail(ErrorCode::unavailable, not_reached(endpoint));
}

Result<PingReply> PingClient::ping_wait(const Ping& message, std::int64_t timeout_ms) {
  if (auto opened = state_->open_dealer(); !opened) return std::unexpected(opened.error());
  const auto answer = ask(state_->dealer, state_->endpoints.ping, encode(message), timeout_ms);
  if (answer) return decode_ping_reply(*answer);
  state_->dealer.close();
  return std::unexpected(answer.error());
}

}  // namespace cape::wire
