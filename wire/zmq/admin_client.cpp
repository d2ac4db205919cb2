#include "wire/admin_client.hpp"

#include "wire/codec.hpp"
#include "wire/zmq/client_socket.hpp"

namespace cape::wire {
namespace {

constexpr SocketLimits limits{.queue_messages_max = 16, .message_bytes_max = admin_reply_bytes_max + 1024};

}  // namespace

struct AdminClient::State {
  std::string endpoint;
  std::optional<ClientKeys> keys;
  zmq::context_t context{1};
  zmq::socket_t dealer;

  Result<void> open() {
    if (dealer) return {};
    auto opened = open_client(context, zmq::socket_type::dealer, endpoint, keys, limits);
    if (!opened) return std::unexpected(opened.error());
    dealer = *std::move(opened);
    return {};
  }
};

AdminClient::AdminClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
AdminClient::AdminClient(AdminClient&&) noexcept = default;
AdminClient& AdminClient::operator=(AdminClient&&) noexcept = default;
AdminClient::~AdminClient() = default;

Result<AdminClient> AdminClient::connect(const std::string& endpoint, const std::optional<ClientKeys>& keys) {
  auto state = make_state<State>();
  if (!state) return std::unexpected(state.error());
  (*state)->endpoint = endpoint;
  (*state)->keys = keys;
  if (auto opened = (*state)->open(); !opened) return std::unexpected(opened.error());
  return AdminClient(*std::move(state));
}

Result<AdminReply> AdminClient::call(const std::string& method, const std::string& body,
                                     std::int64_t timeout_ms) {
  if (method.size() > name_bytes_max || body.size() > admin_request_bytes_max)
    return fail(ErrorCode::limit,
                "the request is larger than a broker takes: 63 bytes of method, 1 MiB of body");
  if (auto opened = state_->open(); !opened) return std::unexpected(opened.error());
  const auto answer = ask(state_->dealer, state_->endpoint, encode(AdminRequest{method, body}), timeout_ms);
  if (answer) return decode_admin_reply(*answer);
  state_->dealer.close();
  return std::unexpected(answer.error());
}

}  // namespace cape::wire
