#include "broker/admin_server.hpp"

#include <zmq.hpp>

#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"
#include "wire/zmq/gate.hpp"

namespace cape::broker {
namespace {

class ZmqAdminServer final : public AdminServer {
 public:
  explicit ZmqAdminServer(zmq::context_t& context) : socket_(context, zmq::socket_type::router) {}
  Result<void> bind(wire::Gate& gate, const std::string& endpoint) {
    return gate.bind(socket_, wire::Role::admin, endpoint);
  }

  void serve(std::size_t max, const AnswerRequest& answer) override {
    for (std::size_t i = 0; i < max; ++i) {
      auto envelope = wire::receive_envelope(socket_);
      if (!envelope) return;
      auto request = wire::decode_admin_request(envelope->payload);
      const std::optional<wire::AdminReply> now =
          request ? answer(*request, envelope->route)
                  : wire::AdminReply{false, R"({"code":"invalid","error":"the request is malformed; see docs/protocol.md"})"};
      if (now) reply(envelope->route, *now);
    }
  }

  void reply(const AdminTicket& ticket, const wire::AdminReply& reply) override {
    wire::send_envelope(socket_, ticket, wire::encode(reply));
  }

  void* socket() override { return socket_.handle(); }

 private:
  zmq::socket_t socket_;
};

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::open(zmq::context_t& context, wire::Gate& gate, const Config& config) {
  auto server = std::make_unique<ZmqAdminServer>(context);
  if (auto bound = server->bind(gate, config.listen.admin); !bound) return std::unexpected(bound.error());
  return server;
}

}  // namespace cape::broker
