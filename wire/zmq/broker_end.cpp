#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <zmq.hpp>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"
#include "wire/zmq/host_transport.hpp"
#include "wire/zmq/wakeup.hpp"

namespace cape::wire {
namespace {

constexpr std::int64_t ask_again_ns = ns_per_s;

// The connections the ROUTER has shown, under our own numbers.
class Peers {
 public:
  struct Peer {
    PeerId id = 0;
    std::string route;  // libzmq's name of the connection
    std::int64_t heard_ns = 0;
    std::int64_t asked_ns = 0;  // when it was last told that a message could not be read
  };

  Peer& heard(const std::string& route, std::int64_t now_ns) {
    auto at = by_route_.find(route);
    if (at == by_route_.end()) {
      if (peers_.size() >= host_peers_max) forget(longest_silent());
      at = by_route_.emplace(route, ++last_).first;
      peers_[last_] = {.id = last_, .route = route};
    }
    Peer& peer = peers_[at->second];
    peer.heard_ns = now_ns;
    return peer;
  }
  const Peer* find(PeerId id) const {
    const auto at = peers_.find(id);
    return at == peers_.end() ? nullptr : &at->second;
  }
  void forget(PeerId id) {
    const auto at = peers_.find(id);
    if (at == peers_.end()) return;
    by_route_.erase(at->second.route);
    peers_.erase(at);
  }

 private:
  PeerId longest_silent() const {
    return std::ranges::min_element(peers_, {}, [](const auto& entry) { return entry.second.heard_ns; })
        ->first;
  }

  std::map<PeerId, Peer> peers_;
  std::map<std::string, PeerId> by_route_;
  PeerId last_ = 0;
};

class ZmqBrokerEnd final : public BrokerEnd {
 public:
  explicit ZmqBrokerEnd(zmq::context_t& context) : socket_(context, zmq::socket_type::router) {}

  Result<void> open(Gate& gate, const std::string& endpoint, const SocketLimits& limits) {
    socket_.set(zmq::sockopt::router_mandatory, true);  // a full queue or a peer that left is told, not lost
    if (auto bound = gate.bind(socket_, Role::host, endpoint, limits); !bound) return bound;
    return wakeup_.open(socket_);
  }

  Result<void> send(PeerId id, ToHost message) override {
    const Peers::Peer* peer = peers_.find(id);
    if (!peer)
      return fail(ErrorCode::unavailable, fmt::format("the connection of host number {} is gone", id));
    const bool sent = send_envelope(socket_, {peer->route}, encode(message));
    const int error = sent ? 0 : zmq_errno();
    wakeup_.look(socket_);
    if (sent) return {};
    if (error == EAGAIN)
      return fail(ErrorCode::unavailable,
                  fmt::format("the queue to host number {} is full; try again when it has read", id));
    peers_.forget(id);
    return fail(ErrorCode::unavailable, fmt::format("the connection of host number {} is gone", id));
  }

  std::optional<FromHost> receive() override {
    while (auto envelope = receive_envelope(socket_)) {
      wakeup_.raise();
      if (auto message = read(*envelope)) return message;
    }
    wakeup_.lower();
    return std::nullopt;
  }

  int fd() const override { return wakeup_.fd(); }
  void clear_wakeup() override {}  // receive() lowers it when it finds nothing

 private:
  std::optional<FromHost> read(const Envelope& envelope) {
    if (envelope.route.empty()) return std::nullopt;
    const std::int64_t now_ns = boot_ns();
    Peers::Peer& peer = peers_.heard(envelope.route[0], now_ns);
    if (envelope.route.size() == 1 && envelope.payload.empty()) {  // its socket's word of a new connection
      (void)send(peer.id, HelloPlease{});
      return std::nullopt;
    }
    auto message = decode_to_broker(envelope.payload);
    if (message && envelope.route.size() == 1) return FromHost{peer.id, *std::move(message)};
    refuse(peer, message ? "it has more than one frame" : message.error().message, now_ns);
    return std::nullopt;
  }

  void refuse(Peers::Peer& peer, const std::string& why, std::int64_t now_ns) {
    ++refused_;
    if (peer.asked_ns != 0 && now_ns - peer.asked_ns < ask_again_ns) return;
    peer.asked_ns = now_ns;
    log::warning("wire",
                 "message number {} from a host that cannot be read: {}; is the host of this release?",
                 refused_, why);
    (void)send(peer.id, HelloPlease{every_session});
  }

  zmq::socket_t socket_;
  Wakeup wakeup_;
  Peers peers_;
  std::uint64_t refused_ = 0;
};

}  // namespace

Result<std::unique_ptr<BrokerEnd>> open_broker_end(zmq::context_t& context, Gate& gate,
                                                   const std::string& endpoint, const SocketLimits& limits) {
  try {
    auto end = std::make_unique<ZmqBrokerEnd>(context);
    if (auto opened = end->open(gate, endpoint, limits); !opened) return std::unexpected(opened.error());
    return end;
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::io, fmt::format("cannot make a socket for {}: {}", endpoint, error.what()));
  }
}

}  // namespace cape::wire
