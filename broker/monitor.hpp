// broker/monitor.hpp
// Monitor publishes the broker's numbers once a second while anybody listens (docs/protocol.md, Monitor).
// Thread: broker loop only; never blocks.
#pragma once

#include <memory>
#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace zmq {
class context_t;
}

namespace cape::wire {
class Gate;
}

namespace cape::broker {

class Monitor {
 public:
  static Result<std::unique_ptr<Monitor>> open(zmq::context_t& context, wire::Gate& gate,
                                               const Config& config);
  virtual ~Monitor() = default;
  // Does anybody subscribe? Costs no system call that blocks.
  virtual bool watched() = 0;
  virtual void publish(const std::string& topic, const std::string& msgpack) = 0;
  virtual void* socket() = 0;  // readable when a subscription comes or goes
};

}  // namespace cape::broker
