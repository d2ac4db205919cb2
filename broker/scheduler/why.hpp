// broker/scheduler/why.hpp
// Why a subject is where it is in a topology: one cause, computed from the scheduler's state when asked.
#pragma once

#include <cstdint>
#include <string>

#include "broker/scheduler/messages.hpp"

namespace cape::scheduler {

enum class Cause : std::uint8_t {
  up_to_date,         // its cursor is at the highest sequence that is known
  late,               // so it is, but events appeared below what the source had given
  not_read,           // it is behind and nothing of it is in memory: the next ping or walk reads it
  being_read,         // it was pinged; its source is asked
  source_failed,      // the source tells of events and does not give them
  source_went_back,   // parked: the source has less than was processed
  baseline_running,   // a scan fixes where the topology begins
  waiting_after,      // a topology that it comes after has not come so far
  waiting_input,      // a lambda that it needs runs again: its outputs were dropped, or went with a broker
  outputs_full,       // what its outputs may take is taken by others that wait for their dependants
  queued_for_credit,  // every child that may run it is busy
  rate_limited,       // the topology's events_per_s or jobs_max is reached
  circuit_open,       // whatever its lambda is given fails, and it waits for its turn to try
  no_host,            // no host takes jobs of the lambda
  in_flight,          // a job of it is out
  backing_off,        // an attempt failed; it is tried again
  parked,             // an operator makes it go on
  paused,             // by an operator
  act_waits,          // an operator's act waits for its jobs to end, or for the store
};
const char* name_of(Cause cause);

struct Why {
  TopologyIndex topology = 0;
  LambdaIndex lambda = 0;  // of the topology's the one that needs a person's eye most
  Sequence cursor = 0;     // of the topology
  Cause cause = Cause::up_to_date;
  std::string detail;         // for a person; may be empty
  Sequence sequence = 0;      // the event it is about; 0: none
  std::uint32_t attempt = 0;  // failed ones of that event
  // Of in_flight.
  JobId job = 0;
  HostId host = 0;
  std::int64_t since_ns = 0;  // boot time; 0: does not apply
  std::int64_t until_ns = 0;  // of backing_off: boot time of the next try
};

}  // namespace cape::scheduler
