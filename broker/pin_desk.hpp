// broker/pin_desk.hpp
// PinDesk carries out `cape plugin pin` and `unpin`: which bytes of a plugin serve, whatever lies in the
// plugin directories. A pin holds once it is on disk; then hosts and sources are told, and whoever asked.
// Thread: broker loop only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "broker/admin_server.hpp"
#include "core/error.hpp"
#include "storage/pin.hpp"
#include "wire/messages.hpp"

namespace cape::broker {

struct BrokerState;

class PinDesk {
 public:
  static constexpr std::size_t pins_max = wire::pins_per_message_max;
  static constexpr std::size_t requests_max = 64;  // that wait for the store

  explicit PinDesk(BrokerState& broker) : b_(broker) {}  // which must outlive it

  // What the store holds at start.
  void open(std::vector<storage::Pin> pins);
  // {"plugin", "to": a version or a hash's first 8 digits or more; absent: unpin, "reason", "dry_run"}.
  // nullopt: take_answers() will have the reply.
  std::optional<wire::AdminReply> begin(const nlohmann::json& body, AdminTicket ticket);
  void on_saved(std::uint64_t token, bool is_stored, const std::optional<Error>& error);

  struct Answer {
    AdminTicket ticket;
    wire::AdminReply reply;
  };
  std::vector<Answer> take_answers() { return std::exchange(answers_, {}); }

  const storage::Pin* of(const std::string& plugin) const;
  const std::map<std::string, storage::Pin>& pins() const { return pins_; }

 private:
  struct Request {
    AdminTicket ticket;
    storage::PinWrite write;
  };
  struct Known {  // bytes that some host, or the broker for its sources, could run
    std::string version, hash;
  };
  std::vector<Known> known(const std::string& plugin) const;
  Result<storage::PinWrite> understand(const nlohmann::json& body) const;
  Result<storage::Pin> resolve(const std::string& plugin, const std::string& to) const;
  void tell() const;

  BrokerState& b_;
  std::map<std::string, storage::Pin> pins_;  // on disk
  std::map<std::uint64_t, Request> requests_;
  std::uint64_t last_token_ = 0;
  std::vector<Answer> answers_;
};

}  // namespace cape::broker
