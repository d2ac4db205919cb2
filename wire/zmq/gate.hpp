// wire/zmq/gate.hpp
// Gate binds the broker's sockets and decides who may connect. With keys every tcp socket speaks CURVE, and a
// client is let in if its public key belongs to the role of that socket; ipc sockets are guarded by their
// directory. libzmq asks over ZAP, and the gate answers in serve(): until then a client that connects waits.
// Owns the ZAP socket of `context`, so a context has one gate. It must outlive the sockets it bound: where
// nobody answers ZAP, libzmq lets everybody in. Thread: the loop that owns it; never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "wire/zmq/endpoint.hpp"
#include "wire/zmq/keys.hpp"

namespace zmq {
class context_t;
class socket_t;
}  // namespace zmq

namespace cape::wire {

class Gate {
 public:
  // `keys_dir`: as Config::keys_dir; empty: no keys. Errors: those of load_server_keys.
  static Result<std::unique_ptr<Gate>> open(zmq::context_t& context, const std::filesystem::path& keys_dir);
  virtual ~Gate() = default;

  // As bind_endpoint, guarded for `role`.
  virtual Result<void> bind(zmq::socket_t& socket, Role role, const std::string& endpoint,
                            const SocketLimits& limits = {}) = 0;
  // Lets in or refuses who waits, at most `max`.
  virtual void serve(std::size_t max) = 0;
  virtual void* socket() = 0;  // for polling; nullptr: there are no keys
  virtual std::uint64_t refused() const = 0;
};

}  // namespace cape::wire
