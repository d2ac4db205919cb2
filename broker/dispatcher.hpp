// broker/dispatcher.hpp
// Dispatcher is the broker's loop: it moves messages between the frontend, the sources, the hosts and the
// store, feeds the scheduler, and performs what the scheduler says. Every effect of the broker happens here
// or in a part it owns; every decision about jobs and cursors happens in the scheduler.
//
//   pings ─▶ tracker ─▶ source ─▶ scheduler ─▶ publisher ─▶ host
//                          store ◀──┘   ▲────── statuses ──────┘
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/cursor_store.hpp"
#include "wire/transport.hpp"
#include "wire/zmq/gate.hpp"

namespace zmq {
class context_t;
}

namespace cape::broker {

// Of a run with until_idle, for whoever waits for its end.
struct RunProgress {
  std::int64_t boot_ns = 0;  // now
  std::int64_t started_ns = 0;
  std::uint64_t events_done = 0;
  std::size_t jobs_in_flight = 0;
};

struct DispatcherOptions {
  const Config& config;  // borrowed values must outlive the dispatcher
  storage::CursorStore& store;
  wire::BrokerEnd& transport;
  zmq::context_t& zmq;
  wire::Gate& gate;                           // of that context
  int life_fd = -1;                           // see ChildSpec::life_fd
  int stop_fd = -1;                           // readable: drain and end (once), end at once (again)
  std::optional<std::int64_t> until_idle_ms;  // end when everything is done, or after this long
  std::string record_file;                    // write the scheduler's inputs here, for replay; empty: none
  std::function<void()> on_ready;             // pings are taken now
  std::function<void(const RunProgress&)> on_progress;  // until_idle: every turn, and once a second at least
};

enum class RunEnd : std::uint8_t {
  stopped,       // asked to stop, drained
  idle,          // until_idle: nothing is behind
  idle_stopped,  // until_idle: all that is behind is parked or paused
  timed_out,     // until_idle: it took too long
};

class Dispatcher {
 public:
  static Result<std::unique_ptr<Dispatcher>> make(DispatcherOptions options);
  virtual ~Dispatcher() = default;
  // An error: the store was lost (see CommitDone::broken); drained all the same.
  virtual Result<RunEnd> run() = 0;
};

}  // namespace cape::broker
