#include "broker/monitor.hpp"

#include <zmq.hpp>

#include "wire/zmq/gate.hpp"

namespace cape::broker {
namespace {

// XPUB is PUB that tells who listens; a plain SUB socket connects to it.
class ZmqMonitor final : public Monitor {
 public:
  explicit ZmqMonitor(zmq::context_t& context) : socket_(context, zmq::socket_type::xpub) {}
  Result<void> bind(wire::Gate& gate, const std::string& endpoint) {
    return gate.bind(socket_, wire::Role::watch, endpoint);
  }

  // libzmq tells of the first subscription to a topic and of the end of the last one.
  bool watched() override {
    zmq::message_t message;
    while (socket_.recv(message, zmq::recv_flags::dontwait)) {
      if (message.size() == 0) continue;
      const bool joins = *message.data<char>() == 1;
      subscriptions_ += joins ? 1 : (subscriptions_ > 0 ? -1 : 0);
    }
    return subscriptions_ > 0;
  }

  // A subscriber that is too slow misses messages: each one stands for itself.
  void publish(const std::string& topic, const std::string& msgpack) override {
    if (socket_.send(zmq::buffer(topic), zmq::send_flags::sndmore | zmq::send_flags::dontwait))
      (void)socket_.send(zmq::buffer(msgpack), zmq::send_flags::dontwait);
  }

  void* socket() override { return socket_.handle(); }

 private:
  zmq::socket_t socket_;
  int subscriptions_ = 0;
};

}  // namespace

Result<std::unique_ptr<Monitor>> Monitor::open(zmq::context_t& context, wire::Gate& gate,
                                               const Config& config) {
  auto monitor = std::make_unique<ZmqMonitor>(context);
  if (auto bound = monitor->bind(gate, config.listen.monitor); !bound) return std::unexpected(bound.error());
  return monitor;
}

}  // namespace cape::broker
