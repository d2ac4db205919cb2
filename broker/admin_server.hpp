// broker/admin_server.hpp
// AdminServer carries the requests of `cape` commands to the broker and the answers back, over a ROUTER
// socket. It knows no method. Thread: broker loop only; never blocks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "wire/messages.hpp"

namespace zmq {
class context_t;
}

namespace cape::wire {
class Gate;
}

namespace cape::broker {

using AdminTicket = std::vector<std::string>;  // the way back to whoever asked

class AdminServer {
 public:
  static Result<std::unique_ptr<AdminServer>> open(zmq::context_t& context, wire::Gate& gate,
                                                   const Config& config);
  virtual ~AdminServer() = default;
  // Answers what has come, at most `max` requests. nullopt: reply() follows with the ticket.
  using AnswerRequest =
      std::function<std::optional<wire::AdminReply>(const wire::AdminRequest&, const AdminTicket&)>;
  virtual void serve(std::size_t max, const AnswerRequest& answer) = 0;
  virtual void reply(const AdminTicket& ticket, const wire::AdminReply& reply) = 0;
  virtual void* socket() = 0;  // for polling
};

}  // namespace cape::broker
