#include "broker/frontend.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include <zmq.hpp>

#include "core/log.hpp"
#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"
#include "wire/zmq/gate.hpp"

namespace cape::broker {
namespace {

class ZmqFrontend final : public Frontend {
 public:
  ZmqFrontend(zmq::context_t& context, const Config& config)
      : config_(config), push_(context, zmq::socket_type::pull), ping_(context, zmq::socket_type::router) {}

  Result<void> bind(wire::Gate& gate) {
    if (auto bound = gate.bind(push_, wire::Role::ping, config_.listen.push, wire::ping_limits); !bound) return bound;
    return gate.bind(ping_, wire::Role::ping, config_.listen.ping, wire::ping_limits);
  }

  bool receive(std::size_t max, std::vector<ReceivedPing>& out) override {
    bool more = false;
    std::size_t taken = 0;
    for (; taken < max; ++taken) {
      auto envelope = wire::receive_envelope(push_);
      if (!envelope) break;
      take(envelope->payload, 0, out);
    }
    more |= taken == max;
    for (taken = 0; taken < max; ++taken) {
      auto envelope = wire::receive_envelope(ping_);
      if (!envelope) break;
      const AckId ack = ++last_ack_;
      const std::string payload = std::move(envelope->payload);
      waiting_.emplace(ack, std::move(envelope->route));
      take(payload, ack, out);
    }
    return more || taken == max;
  }

  void answer(AckId ack, wire::PingReply reply) override {
    auto at = waiting_.find(ack);
    if (at == waiting_.end()) return;
    switch (reply.answer) {
      case wire::PingAnswer::acknowledged: ++counters_.acknowledged; break;
      case wire::PingAnswer::busy: ++counters_.busy; break;
      case wire::PingAnswer::refused: break;  // counted where it was found
    }
    wire::send_envelope(ping_, at->second, wire::encode(reply));
    waiting_.erase(at);
  }

  void* push_socket() override { return push_.handle(); }
  void* ping_socket() override { return ping_.handle(); }
  const FrontendCounters& counters() const override { return counters_; }

 private:
  void take(const std::string& bytes, AckId ack, std::vector<ReceivedPing>& out) {
    auto ping = wire::decode_ping(bytes);
    if (!ping) return refuse(ack, ping.error().message);
    auto domain = std::ranges::find(config_.domains, ping->domain, &DomainConfig::name);
    if (domain == config_.domains.end())
      return refuse(ack, "no domain '" + printable(ping->domain, 64) + "' in the broker's config");
    if (auto mistake = subject_mistake(ping->subject); !mistake.empty()) return refuse(ack, std::string(mistake));
    if (ping->hint < 0) return refuse(ack, "the sequence hint is negative");
    ++counters_.pings;
    out.push_back({.domain = static_cast<DomainIndex>(domain - config_.domains.begin()),
                   .subject = std::move(ping->subject),
                   .hint = ping->hint,
                   .ack = ack});
  }

  void refuse(AckId ack, const std::string& why) {
    ++counters_.refused;
    if (counters_.refused == 1 || counters_.refused % 1000 == 0)
      log::warning("broker", "refused ping number {}: {}", counters_.refused, why);
    if (ack != 0) answer(ack, {wire::PingAnswer::refused, why});
  }

  const Config& config_;
  zmq::socket_t push_, ping_;
  std::unordered_map<AckId, wire::Route> waiting_;  // bounded by the saver's room for acknowledgements
  AckId last_ack_ = 0;
  FrontendCounters counters_;
};

}  // namespace

Result<std::unique_ptr<Frontend>> Frontend::open(zmq::context_t& context, wire::Gate& gate, const Config& config) {
  auto frontend = std::make_unique<ZmqFrontend>(context, config);
  if (auto bound = frontend->bind(gate); !bound) return std::unexpected(bound.error());
  return frontend;
}

}  // namespace cape::broker
