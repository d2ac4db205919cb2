// broker/idle_check.hpp
// IdleCheck decides when `cape up --until-idle` is done: when a whole refresh walk of every domain, begun
// after the last job ended and the last ping was read, found nothing that can still run, and every cursor is
// on disk. Decides only; its owner tells what is so and does what it says. Thread: broker loop.
#pragma once

#include <cstdint>

namespace cape::broker {

struct IdleFacts {
  bool quiet = false;          // nothing queued, read, in flight, waiting, timed or unsaved
  std::uint64_t activity = 0;  // rises with every job and every ping
  bool sweep_complete = false;
  std::uint64_t sweep_behind = 0;
  std::uint64_t sweep_stopped = 0;
};

enum class IdleStep : std::uint8_t {
  wait,
  start_sweep,
  sync,          // ask the store to sync; then keep asking here
  idle,          // everything is at its source's latest
  idle_stopped,  // all that is behind waits for an operator
};

class IdleCheck {
 public:
  IdleStep step(const IdleFacts& facts);

 private:
  enum class Phase : std::uint8_t { working, sweeping, syncing };
  Phase phase_ = Phase::working;
  std::uint64_t activity_at_start_ = 0;
  bool stopped_ = false;
};

}  // namespace cape::broker
