// wire/zmq/wakeup.hpp
// Wakeup is one level-triggered descriptor for a ZeroMQ socket. ZMQ_FD alone is not: it is up when there is
// news for the socket's inside, and any call on the socket may take that news away while a message waits. So
// an eventfd stands beside it, up from the time a message is known to wait until none was found.
// Thread: the socket's.
#pragma once

#include "core/error.hpp"
#include "core/unique_fd.hpp"

namespace zmq {
class socket_t;
}

namespace cape::wire {

class Wakeup {
 public:
  // Must be called before the first look at fd(). io: no descriptor is left.
  Result<void> open(zmq::socket_t& socket);
  int fd() const { return epoll_.get(); }
  void raise();  // a message may wait
  void lower();  // none was found
  // A call other than receiving was made on the socket: looks whether it took the news of a message.
  void look(zmq::socket_t& socket);

 private:
  UniqueFd epoll_, event_;
  bool raised_ = false;
};

}  // namespace cape::wire
