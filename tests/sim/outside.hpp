// tests/sim/outside.hpp
// Outside is what hosts and children of the simulation meet beyond themselves: what an event comes to in a
// lambda, and who looks on. Lambdas are numbered as the run numbers them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/event.hpp"
#include "core/types.hpp"
#include "tests/sim/promise.hpp"

namespace cape::sim {

// Told by whoever runs an event, before anything else of it.
struct EventStart {
  LambdaIndex lambda = 0;
  SubjectId subject = 0;
  Sequence sequence = 0;
  JobId job = 0;
  std::uint32_t attempt = 0;
  bool is_first = true;  // of its job: `attempt` is about it
  bool may_repeat = false;
  bool of_this_life = true;                                    // else its broker may have had another config
  std::vector<std::pair<std::string, OutputPtr>> inputs = {};  // by lambda
};

// What becomes of an event, decided when it begins.
struct EventFate {
  std::int64_t takes_ns = 0;
  OutcomeKind end = OutcomeKind::ok;  // what it returns; signaled: it takes its child along
  bool hangs = false;                 // until it is killed
  bool beats = false;                 // sends heartbeats while it runs
  std::string output = {};            // what it gives if it returns ok
};

class Outside {
 public:
  virtual ~Outside() = default;

  virtual EventFate on_start(const EventStart& start) = 0;
  // external_kill: it was still running when its child died. `is_known`: its host hears that it was this one.
  virtual void on_end(const EventStart& start, OutcomeKind end, bool is_known) = 0;

  virtual void violate(scheduler::Promise promise, std::string what) = 0;
  virtual bool is_watched() const = 0;  // else nobody reads notes
  virtual void note(const std::string& what) = 0;
};

}  // namespace cape::sim
