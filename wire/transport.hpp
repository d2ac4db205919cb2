// wire/transport.hpp
// Transport joins one broker with its hosts. BrokerEnd is the broker loop's side, HostEnd a host loop's. An
// end belongs to one thread. A message arrives once or not at all, in order per host; a peer's end can be
// noticed late or never: leases decide, not connections.
#pragma once

#include <memory>
#include <optional>

#include "core/error.hpp"
#include "wire/messages.hpp"

namespace cape::wire {

using PeerId = std::uint32_t;  // a host's connection as the transport numbers it; never reused

struct FromHost {
  PeerId peer = 0;
  ToBroker message;
};

class BrokerEnd {
 public:
  virtual ~BrokerEnd() = default;
  // Error::unavailable: the peer's queue is full or gone; nothing was sent.
  virtual Result<void> send(PeerId peer, ToHost message) = 0;
  // The next message; nullopt: none now. Malformed ones are counted and skipped inside.
  virtual std::optional<FromHost> receive() = 0;
  virtual int fd() const = 0;   // readable (level-triggered) when receive() has something
  virtual void clear_wakeup() = 0;  // call when fd() was readable, before receive()
};

class HostEnd {
 public:
  virtual ~HostEnd() = default;
  virtual Result<void> send(ToBroker message) = 0;
  virtual std::optional<ToHost> receive() = 0;
  virtual int fd() const = 0;
  virtual void clear_wakeup() = 0;
};

struct InProcessPair {
  std::unique_ptr<BrokerEnd> broker;  // its one peer has id 1
  std::unique_ptr<HostEnd> host;
};
// Two bounded queues and two eventfds; each end may live on a thread of its own. A sender wakes the other
// side only if that side has found its queue empty since the last wake-up.
InProcessPair make_in_process_transport(std::size_t messages_max = 4096);

}  // namespace cape::wire
