// broker/frontend.hpp
// Frontend takes pings over ZeroMQ: PUSH, fire and forget, dropped and counted when the broker is full; and
// DEALER, answered when the ping is in the inbox table on disk, or `busy`, or `refused` with the reason.
// Bytes that are no ping are refused and counted. Thread: broker loop only; never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/saver.hpp"
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

struct ReceivedPing {
  DomainIndex domain = 0;
  std::string subject;
  Sequence hint = 0;
  AckId ack = 0;  // 0: nobody waits for an answer
};

struct FrontendCounters {
  std::uint64_t pings = 0, acknowledged = 0, busy = 0, refused = 0;
};

class Frontend {
 public:
  // Binds both sockets. `context` and `config` must outlive it.
  static Result<std::unique_ptr<Frontend>> open(zmq::context_t& context, wire::Gate& gate,
                                                const Config& config);
  virtual ~Frontend() = default;

  // Appends at most `max` pings that are well-formed and name a domain of the config. false: none are left.
  virtual bool receive(std::size_t max, std::vector<ReceivedPing>& out) = 0;
  virtual void answer(AckId ack, wire::PingReply reply) = 0;
  virtual void* push_socket() = 0;  // for polling
  virtual void* ping_socket() = 0;
  virtual const FrontendCounters& counters() const = 0;
};

}  // namespace cape::broker
