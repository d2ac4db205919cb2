// broker/admin_server.hpp
// AdminServer carries the requests of `cape` commands to the broker and the answers back, over a ROUTER
// socket. It knows no method. Thread: broker loop only; never blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>

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

class AdminServer {
 public:
  static Result<std::unique_ptr<AdminServer>> open(zmq::context_t& context, wire::Gate& gate,
                                                   const Config& config);
  virtual ~AdminServer() = default;
  // Answers what has come, at most `max` requests.
  virtual void serve(std::size_t max,
                     const std::function<wire::AdminReply(const wire::AdminRequest&)>& answer) = 0;
  virtual void* socket() = 0;  // for polling
};

}  // namespace cape::broker
