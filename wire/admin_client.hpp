// wire/admin_client.hpp
// AdminClient asks the running broker: a method and a JSON object in, a JSON object out. The methods are
// those of docs/protocol.md. Owns its ZeroMQ context. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "wire/messages.hpp"
#include "wire/zmq/keys.hpp"

namespace cape::wire {

class AdminClient {
 public:
  // `endpoint` as ListenConfig::admin; `keys` of role admin, for tcp. Returns at once, whether or not a
  // broker runs.
  static Result<AdminClient> connect(const std::string& endpoint, const std::optional<ClientKeys>& keys = {});
  AdminClient(AdminClient&&) noexcept;
  AdminClient& operator=(AdminClient&&) noexcept;
  ~AdminClient();

  // unavailable: no broker answered within `timeout_ms`; at once if it is certain that none listens. Whether
  // a request without an answer was carried out is not known.
  Result<AdminReply> call(const std::string& method, const std::string& body, std::int64_t timeout_ms);

 private:
  struct State;
  explicit AdminClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cape::wire
