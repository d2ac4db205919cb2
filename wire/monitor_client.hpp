// wire/monitor_client.hpp
// MonitorClient listens to the running broker's numbers (docs/protocol.md, Monitor). Owns its ZeroMQ context.
// Connects again by itself when the broker is started anew. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "wire/zmq/keys.hpp"

namespace cape::wire {

inline constexpr std::int64_t monitor_message_bytes_max = 16LL << 20;

class MonitorClient {
 public:
  // `endpoint` as ListenConfig::monitor; `keys` of role watch, for tcp. Returns at once, whether or not a
  // broker runs.
  static Result<MonitorClient> connect(const std::string& endpoint,
                                       const std::optional<ClientKeys>& keys = {});
  MonitorClient(MonitorClient&&) noexcept;
  MonitorClient& operator=(MonitorClient&&) noexcept;
  ~MonitorClient();

  // The next message of topic `stats`: bytes that should be a msgpack map, and are not looked at here; the
  // oldest of at most 4 that wait. unavailable: none within `timeout_ms`; before the first one, at once
  // if it is certain that none listens. protocol: what came was not a topic and a body.
  Result<std::string> next(std::int64_t timeout_ms);

 private:
  struct State;
  explicit MonitorClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cape::wire
