// tests/sim/network.hpp
// Network joins the simulated hosts with the broker, behind the same Transport port as in production. Every
// message passes through pass(), which delays it, now and then for long, so that messages of different hosts
// overtake each other; loses it or doubles it where the protocol survives that; and takes nothing for a
// while, as a full queue does. A connection may break, with what is under way, and be noticed late; the next
// one has another number. Within one connection messages arrive in order, as wire/transport.hpp promises.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "tests/sim/fate.hpp"
#include "tests/sim/outside.hpp"
#include "wire/transport.hpp"

namespace cape::sim {

using PlaceId = std::uint32_t;  // where a host runs, one process at a time

struct NetworkMet {
  std::uint64_t messages = 0, lost = 0, doubled = 0, refused = 0, breaks = 0;
};

class Network {
 public:
  // `wake`: something came for the host there.
  Network(Fate& fate, std::function<void(wire::FromHost)> to_broker, std::function<void(PlaceId)> wake);

  wire::BrokerEnd& broker_end() { return broker_end_; }
  // For one life of a host process, which must end before the next one of that place asks.
  std::unique_ptr<wire::HostEnd> host_end(PlaceId place);

  void connect(PlaceId place);                         // a new connection, at once
  void disconnect(PlaceId place);                      // the process there is gone
  void break_off(PlaceId place, std::int64_t for_ns);  // noticed late; comes back after that time
  void stall(PlaceId place, std::int64_t for_ns);      // all of it arrives, later
  void fill(PlaceId place, std::int64_t for_ns);       // nothing is taken in either direction
  void restart_broker();                               // every connection ends, and comes back a little later
  // As if the host of that connection had said it.
  void forge(wire::PeerId peer, wire::ToBroker message);

  const NetworkMet& met() const { return met_; }

 private:
  struct Link {
    wire::PeerId peer = 0;  // 0: no connection
    bool has_process = false;
    bool swallows = false;                          // it is broken, and nobody has noticed
    std::uint64_t tries = 0;                        // to connect: the last one counts
    std::int64_t to_broker_ns = 0, to_host_ns = 0;  // when the last message arrives
    std::int64_t stalled_until_ns = 0, full_until_ns = 0;
    std::deque<wire::ToHost> inbox;
  };
  struct BrokerSide final : wire::BrokerEnd {
    explicit BrokerSide(Network& owner) : network(owner) {}
    Network& network;
    Result<void> send(wire::PeerId peer, wire::ToHost message) override {
      return network.send(peer, std::move(message));
    }
    std::optional<wire::FromHost> receive() override { return std::nullopt; }
    int fd() const override { return -1; }
    void clear_wakeup() override {}
  };
  struct HostSide final : wire::HostEnd {
    HostSide(Network& owner, PlaceId at) : network(owner), place(at) {}
    Network& network;
    PlaceId place;
    Result<void> send(wire::ToBroker message) override {
      return network.send_from(place, std::move(message));
    }
    std::optional<wire::ToHost> receive() override;
    int fd() const override { return -1; }
    void clear_wakeup() override {}
  };

  Result<void> send(wire::PeerId peer, wire::ToHost message);
  Result<void> send_from(PlaceId place, wire::ToBroker message);
  void pass_to_broker(Link& link, wire::ToBroker message);
  // Calls `deliver` with the message when, and as often as, it arrives.
  template <class Message, class Deliver>
  void pass(Link& link, std::int64_t& last_ns, Message message, Deliver deliver);
  void connect_after(PlaceId place, std::int64_t delay_ns);
  Link* find(wire::PeerId peer);

  Fate& fate_;
  std::function<void(wire::FromHost)> to_broker_;
  std::function<void(PlaceId)> wake_;
  BrokerSide broker_end_{*this};
  std::map<PlaceId, Link> links_;
  wire::PeerId last_peer_ = 0;
  NetworkMet met_;
};

}  // namespace cape::sim
