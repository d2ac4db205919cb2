// broker/scheduler/verdict.hpp
// Reads a job's final status against the job itself. A host is a peer: what does not fit the job counts as a
// PROTOCOL failure of its first event, and nothing of it as done. Pure.
#pragma once

#include <cstdint>

#include "core/event.hpp"
#include "core/types.hpp"
#include "wire/messages.hpp"

namespace cape::scheduler {

struct Verdict {
  std::uint32_t events_done = 0;           // the first ones of the job
  FailureClass what = FailureClass::done;  // of the event after them; done: there is none
  Sequence failed_sequence = 0;            // 0: none
  Sequence may_have_run_to = 0;            // the last event that may have had effects; 0: none
  Outcome outcome;
};

// What a job's outputs may come to: `job` is passed by no more than one output, of at most `event`. 0: none
// are taken.
struct OutputBounds {
  std::uint64_t job = 0, event = 0;
};

Verdict judge(const EventRange& events, const wire::JobStatus& status, OutputBounds bounds = {});

}  // namespace cape::scheduler
