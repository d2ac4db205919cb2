#include "broker/idle_check.hpp"

namespace cape::broker {

IdleStep IdleCheck::step(const IdleFacts& facts) {
  if (phase_ != Phase::working && facts.activity != activity_at_start_) phase_ = Phase::working;
  switch (phase_) {
    case Phase::working:
      if (!facts.quiet) return IdleStep::wait;
      phase_ = Phase::sweeping;
      activity_at_start_ = facts.activity;
      return IdleStep::start_sweep;
    case Phase::sweeping:
      if (!facts.sweep_complete || !facts.quiet) return IdleStep::wait;
      if (facts.sweep_behind > 0) {  // pinged, but it led to nothing yet: look again
        phase_ = Phase::working;
        return IdleStep::wait;
      }
      stopped_ = facts.sweep_stopped > 0;
      phase_ = Phase::syncing;
      return IdleStep::sync;
    case Phase::syncing:
      if (!facts.quiet) return IdleStep::wait;
      return stopped_ ? IdleStep::idle_stopped : IdleStep::idle;
  }
  return IdleStep::wait;
}

}  // namespace cape::broker
