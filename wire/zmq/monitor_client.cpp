#include "wire/monitor_client.hpp"

#include "wire/zmq/client_socket.hpp"

namespace cape::wire {
namespace {

constexpr SocketLimits monitor_limits{.queue_messages_max = 4,
                                      .message_bytes_max = monitor_message_bytes_max};
constexpr std::string_view stats_topic = "stats";

}  // namespace

struct MonitorClient::State {
  std::string endpoint;
  zmq::context_t context{1};
  zmq::socket_t socket;
  bool reached = false;  // a message came
};

MonitorClient::MonitorClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
MonitorClient::MonitorClient(MonitorClient&&) noexcept = default;
MonitorClient& MonitorClient::operator=(MonitorClient&&) noexcept = default;
MonitorClient::~MonitorClient() = default;

Result<MonitorClient> MonitorClient::connect(const std::string& endpoint,
                                             const std::optional<ClientKeys>& keys) {
  auto state = make_state<State>();
  if (!state) return std::unexpected(state.error());
  (*state)->endpoint = endpoint;
  auto opened = open_client((*state)->context, zmq::socket_type::sub, endpoint, keys, monitor_limits);
  if (!opened) return std::unexpected(opened.error());
  (*state)->socket = *std::move(opened);
  (*state)->socket.set(zmq::sockopt::subscribe, stats_topic);
  return MonitorClient(*std::move(state));
}

Result<std::string> MonitorClient::next(std::int64_t timeout_ms) {
  // One that was there may be starting anew.
  if (!state_->reached && is_unattended(state_->endpoint))
    return fail(ErrorCode::unavailable, not_reached(state_->endpoint));
  if (!wait_for(state_->socket, ZMQ_POLLIN, deadline_after(timeout_ms)))
    return fail(ErrorCode::unavailable, not_reached(state_->endpoint));
  std::string body;
  std::size_t frames = 0;
  for (zmq::message_t frame; state_->socket.recv(frame, zmq::recv_flags::dontwait);) {
    if (++frames == 2) body = frame.to_string();
    if (!frame.more()) break;
  }
  state_->reached = true;
  if (frames == 2) return body;
  return fail(ErrorCode::protocol, "what came from " + state_->endpoint +
                                       " is not a topic and a message; is a broker of this version there?");
}

}  // namespace cape::wire
