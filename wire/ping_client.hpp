// wire/ping_client.hpp
// PingClient tells a broker "look at this subject". A ping is a hint: refresh finds what none told about, so
// losing one is no error for the caller. Owns its ZeroMQ context. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "wire/messages.hpp"
#include "wire/zmq/keys.hpp"

namespace cape::wire {

struct PingEndpoints {
  std::string push;  // as in ListenConfig
  std::string ping;
  std::optional<ClientKeys> keys = {};  // role ping; for tcp endpoints
};

class PingClient {
 public:
  // Returns at once, whether or not a broker runs. `linger_ms`: how long the destructor may wait for pings
  // that are still on their way; a command that ends right after its pings sets it, a service leaves it at 0.
  static Result<PingClient> connect(const PingEndpoints& endpoints, int linger_ms = 0);
  PingClient(PingClient&&) noexcept;
  PingClient& operator=(PingClient&&) noexcept;
  ~PingClient();

  // Fire and forget; never blocks. unavailable: no broker is connected or it is behind, and the ping is
  // dropped.
  Result<void> ping(const Ping& message);
  // Waits until a broker takes pings. unavailable: none did within `timeout_ms`; at once if that is certain.
  Result<void> wait_for_broker(std::int64_t timeout_ms);
  // Sends and waits for the answer: acknowledged means that the ping survives a crash of the broker.
  // unavailable: no answer within `timeout_ms`; whether the ping arrived is not known, and repeating it is
  // safe.
  Result<PingReply> ping_wait(const Ping& message, std::int64_t timeout_ms);

 private:
  struct State;
  explicit PingClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cape::wire
