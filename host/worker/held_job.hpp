// host/worker/held_job.hpp
// HeldJob is a job between its arrival and its one final status: what of it is still to run, and what
// children that came to an end have done of it. Pure.
#pragma once

#include "wire/messages.hpp"

namespace cape::host {

struct HeldJob {
  wire::RunJob job;           // trimmed to the events that are still to run
  wire::JobStatus before;     // what ran earlier: done_to, events_done, first_start_ns
  bool singly = false;        // run its events one a call: a call of several died
  bool may_have_run = false;  // some of what is left, in that call, which told nothing
  bool cancelled = false;     // the broker asked to end it early
};

// `status` says how far another child got before it gave the job back: what is left runs elsewhere. false: it
// is done with its last event.
bool keep_progress(HeldJob& held, const wire::JobStatus& status);

// `status` as the broker is to see it: for the whole job.
wire::JobStatus whole_status(const HeldJob& held, wire::JobStatus status);

// The job ends although its next event did not begin, as far as is known.
wire::JobStatus not_started(const HeldJob& held, Outcome end);

}  // namespace cape::host
