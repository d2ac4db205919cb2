// wire/zmq/client_socket.hpp
// What the clients share: a context of their own with one sender thread, and waits that end. Inside wire
// only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <zmq.hpp>

#include "core/error.hpp"
#include "wire/zmq/endpoint.hpp"

namespace cape::wire {

using Deadline = std::chrono::steady_clock::time_point;
Deadline deadline_after(std::int64_t timeout_ms);

// A client's State, whose ZeroMQ context may fail to come up.
template <class State>
Result<std::unique_ptr<State>> make_state() {
  try {
    return std::make_unique<State>();
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::io, std::string("cannot start ZeroMQ: ") + error.what());
  }
}

// Waits for `events` (ZMQ_POLLIN or ZMQ_POLLOUT) of the socket. false: the deadline passed first.
bool wait_for(zmq::socket_t& socket, short events, Deadline deadline);

// A new socket, connected; messages go to a broker that is there, and are not kept for one that may come.
Result<zmq::socket_t> open_client(zmq::context_t& context, zmq::socket_type type, const std::string& endpoint,
                                  const std::optional<ClientKeys>& keys, const SocketLimits& limits);

// For an endpoint where nobody answered: what to do about it.
std::string not_reached(const std::string& endpoint);

// Sends one request over a DEALER socket and returns the payload of the answer. unavailable: no answer in
// time; the caller must then take a new socket, or a late answer would pass for that of the next request.
Result<std::string> ask(zmq::socket_t& dealer, const std::string& endpoint, const std::string& request,
                        std::int64_t timeout_ms);

}  // namespace cape::wire
