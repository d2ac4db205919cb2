#include "tests/sim/network.hpp"

#include <algorithm>
#include <utility>

namespace cape::sim {
namespace {

// What the protocol survives of one message, beyond the end of its connection.
struct Survives {
  bool loss = false;
  bool doubling = false;  // right behind the first
  bool lateness = false;  // and the second after messages that were sent later
};

struct SurvivesOf {
  // Said again, or found out by the lease.
  Survives operator()(const wire::HostHello&) const { return {.loss = true, .doubling = true}; }
  Survives operator()(const wire::HostGoodbye&) const { return {.loss = true, .doubling = true}; }
  Survives operator()(const wire::HostHeartbeat&) const { return {true, true, true}; }
  Survives operator()(const wire::HostReport&) const { return {true, true, true}; }
  // Said once: whoever loses these has to lose the connection, and with it the session.
  Survives operator()(const wire::HostOffers&) const { return {.doubling = true}; }
  Survives operator()(const wire::HostCredit&) const { return {.doubling = true}; }
  Survives operator()(const wire::JobStatuses&) const { return {false, true, true}; }
  Survives operator()(const wire::BrokerWelcome&) const { return {false, true, true}; }
  Survives operator()(const wire::HostPins&) const { return {.doubling = true}; }
  Survives operator()(const wire::RunJobs&) const { return {}; }
  // Missed, these cost time alone.
  Survives operator()(const wire::CancelJob&) const { return {true, true, true}; }
  Survives operator()(const wire::HeartbeatAnswer&) const { return {true, true, true}; }
  Survives operator()(const wire::HelloPlease&) const { return {true, true, true}; }
  Survives operator()(const wire::DrainHost&) const { return {true, true, true}; }
  Survives operator()(const wire::ServeVersions&) const { return {true, true, true}; }
};

}  // namespace

Network::Network(Fate& fate, std::function<void(wire::FromHost)> to_broker, std::function<void(PlaceId)> wake)
    : fate_(fate), to_broker_(std::move(to_broker)), wake_(std::move(wake)) {}

std::unique_ptr<wire::HostEnd> Network::host_end(PlaceId place) {
  links_[place].has_process = true;
  return std::make_unique<HostSide>(*this, place);
}

std::optional<wire::ToHost> Network::HostSide::receive() {
  std::deque<wire::ToHost>& inbox = network.links_[place].inbox;
  if (inbox.empty()) return std::nullopt;
  wire::ToHost message = std::move(inbox.front());
  inbox.pop_front();
  return message;
}

Network::Link* Network::find(wire::PeerId peer) {
  const auto at = std::ranges::find_if(links_, [&](const auto& entry) { return entry.second.peer == peer; });
  return at == links_.end() || peer == 0 ? nullptr : &at->second;
}

Result<void> Network::send(wire::PeerId peer, wire::ToHost message) {
  Link* link = find(peer);
  if (!link) return fail(ErrorCode::unavailable, "the connection is gone");
  if (fate_.now_ns() < link->full_until_ns || fate_.trouble(0.003)) {
    ++met_.refused;
    return fail(ErrorCode::unavailable, "the queue is full");
  }
  const PlaceId place =
      std::ranges::find_if(links_, [&](const auto& entry) { return &entry.second == link; })->first;
  pass(*link, link->to_host_ns, std::move(message), [this, place](Link& to, wire::ToHost arrived) {
    to.inbox.push_back(std::move(arrived));
    wake_(place);
  });
  return {};
}

Result<void> Network::send_from(PlaceId place, wire::ToBroker message) {
  Link& link = links_[place];
  if (link.peer == 0) return fail(ErrorCode::unavailable, "no broker is there");
  if (fate_.now_ns() < link.full_until_ns || fate_.trouble(0.003)) {
    ++met_.refused;
    return fail(ErrorCode::unavailable, "the queue is full");
  }
  pass_to_broker(link, std::move(message));
  return {};
}

void Network::pass_to_broker(Link& link, wire::ToBroker message) {
  pass(link, link.to_broker_ns, std::move(message), [this](Link& from, wire::ToBroker arrived) {
    to_broker_({from.peer, std::move(arrived)});
  });
}

template <class Message, class Deliver>
void Network::pass(Link& link, std::int64_t& last_ns, Message message, Deliver deliver) {
  ++met_.messages;
  const Survives survives = std::visit(SurvivesOf{}, message);
  if (link.swallows) return;
  if (survives.loss && fate_.trouble(0.02)) {
    ++met_.lost;
    return;
  }
  const auto arrive = [this, peer = link.peer, deliver](std::int64_t at_ns, Message copy) {
    fate_.at(at_ns - fate_.now_ns(), [this, peer, deliver, arrived = std::move(copy)]() mutable {
      Link* to = find(peer);
      if (to && !to->swallows) deliver(*to, std::move(arrived));
    });
  };
  const std::int64_t delay_ns =
      fate_.trouble(0.01) ? fate_.some(5 * ms, 80 * ms) : fate_.some(ms / 50, 2 * ms);
  last_ns = std::max({last_ns, fate_.now_ns() + delay_ns, link.stalled_until_ns});
  const std::int64_t first_ns = last_ns;
  if (!survives.doubling || !fate_.trouble(0.05)) return arrive(first_ns, std::move(message));
  ++met_.doubled;
  arrive(first_ns, message);
  arrive(survives.lateness ? first_ns + fate_.some(0, 50 * ms) : first_ns, std::move(message));
}

// As over ZeroMQ, the broker's end tells the host that it sees a new connection.
void Network::connect(PlaceId place) {
  Link& link = links_[place];
  ++link.tries;
  const bool has_process = link.has_process;
  link = {.has_process = has_process, .tries = link.tries};
  if (!has_process) return;
  link.peer = ++last_peer_;
  (void)send(link.peer, wire::HelloPlease{});
}

void Network::connect_after(PlaceId place, std::int64_t delay_ns) {
  fate_.at(delay_ns, [this, place, tries = ++links_[place].tries] {
    if (links_[place].tries == tries) connect(place);
  });
}

void Network::disconnect(PlaceId place) {
  Link& link = links_[place];
  link = {.tries = link.tries + 1};
}

void Network::break_off(PlaceId place, std::int64_t for_ns) {
  Link& link = links_[place];
  if (link.peer == 0) return;
  ++met_.breaks;
  link.swallows = true;
  fate_.at(fate_.some(0, std::min(for_ns, 300 * ms)), [this, place, peer = link.peer] {
    if (links_[place].peer == peer) links_[place].peer = 0;
  });
  connect_after(place, for_ns);
}

void Network::stall(PlaceId place, std::int64_t for_ns) {
  links_[place].stalled_until_ns = fate_.now_ns() + for_ns;
}

void Network::fill(PlaceId place, std::int64_t for_ns) {
  links_[place].full_until_ns = fate_.now_ns() + for_ns;
}

void Network::restart_broker() {
  for (auto& [place, link] : links_) {
    link.peer = 0;
    connect_after(place, fate_.some(ms, 40 * ms));
  }
}

void Network::forge(wire::PeerId peer, wire::ToBroker message) {
  if (Link* link = find(peer)) pass_to_broker(*link, std::move(message));
}

}  // namespace cape::sim
