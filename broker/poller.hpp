// broker/poller.hpp
// Poller puts the broker loop to sleep until a socket, a descriptor or a deadline calls. Thread: broker loop.
#pragma once

#include <cstdint>

#include "broker/broker_state.hpp"

namespace cape::broker {

class Poller {
 public:
  // Sleeps at most `timeout_ns`, and not at all after again().
  void wait(BrokerState& broker, std::int64_t timeout_ns);
  void again() { again_ = true; }
  // Takes one pending signal of the descriptor given as DispatcherOptions::stop_fd, if there is one.
  bool stop_asked(int stop_fd);

 private:
  bool again_ = false;
};

}  // namespace cape::broker
