// host/worker/host_loop.hpp
// HostLoop performs what Worker decides: it owns the children, the intake and the broker connection, and is
// the only part of the host that does I/O. run() is the body of the host's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "wire/transport.hpp"

namespace cape::host {

struct HostOptions {
  const Config& config;      // must outlive the loop
  wire::HostEnd& transport;  // must outlive the loop
  std::string name;          // of this host, for people
  std::uint64_t home;        // see storage::host_home
  int life_fd = -1;          // see ChildSpec::life_fd
  int stop_fd = -1;          // a signalfd: the first signal is as stop(), a second one ends run() at once
  std::function<void()> on_ready = {};  // a broker has taken this host, for the first time
};

class HostLoop {
 public:
  static Result<std::unique_ptr<HostLoop>> make(HostOptions options);
  virtual ~HostLoop() = default;
  // Until stop() and then until drained: says goodbye and returns. Error: it cannot go on.
  virtual Result<void> run() = 0;
  // Any thread, also a signal handler: finish what runs, give back the rest, end.
  virtual void stop() = 0;
  // After run(): the broker has drained this host and nobody has asked it to stop. It may serve the next
  // broker.
  virtual bool sent_away() const = 0;
};

}  // namespace cape::host
