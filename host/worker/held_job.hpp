// host/worker/held_job.hpp
// HeldJob is a job between its arrival and its one final status: what of it is still to run, and what
// children that came to an end have done of it. Pure.
#pragma once

#include "wire/messages.hpp"

namespace cape::host {

struct HeldJob {
  wire::RunJob job;                     // trimmed to the events that are still to run
  wire::JobStatus before;               // what ran earlier: done_to, events_done, first_start_ns, outputs
  std::uint64_t outputs_bytes_max = 0;  // as it arrived: job.outputs_bytes_max is what is left of it
  bool singly = false;                  // run its events one a call: a call of several died
  bool may_have_run = false;            // some of what is left, in that call, which told nothing
  bool cancelled = false;               // the broker asked to end it early
};

// `status` says how far another child got before it gave the job back: what is left runs elsewhere. false: it
// is done with its last event.
bool keep_progress(HeldJob& held, const wire::JobStatus& status);

// `status` as the broker is to see it: for the whole job.
wire::JobStatus whole_status(const HeldJob& held, wire::JobStatus status);

// The outputs so far are as many as the job may bring: what is left of it is another job's.
bool outputs_are_full(const HeldJob& held);
// A job whose outputs came to more than it may bring ends behind the event with which they did, though
// others have run: they will run again. One event's output is always taken. Requires: whole_status().
void bound_outputs(const HeldJob& held, wire::JobStatus& status);

// The job ends although its next event did not begin, as far as is known.
wire::JobStatus not_started(const HeldJob& held, Outcome end);

}  // namespace cape::host
