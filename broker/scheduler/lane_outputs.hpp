// broker/scheduler/lane_outputs.hpp
// What a lambda that others need gave for events of one subject, until they are through. Plain values; the
// rules are in outputs.cpp. In memory only: who lost it runs the lambda again.
//
//     from                     at(), where the lambda stands
//   ───●───────────────────────●──────▶ sequence
//       every event here has an entry; a null one gave nothing
//
// A dependant may run what lies in between. If it stands before `from`, the lambda goes back to it.
#pragma once

#include <cstdint>
#include <map>

#include "core/event.hpp"
#include "core/types.hpp"

namespace cape::scheduler {

using SubjectSlot = std::uint32_t;  // place in the SubjectTable; used again after the subject left
inline constexpr SubjectSlot no_slot = UINT32_MAX;

struct LaneOutputs {
  Sequence from = 0;
  std::map<Sequence, OutputPtr> entries;  // above `from`; of a pipelined lane also of jobs done ahead
  std::uint64_t bytes = 0;                // of the entries, with what keeping one costs
  std::uint64_t reserved = 0;             // what jobs in flight may bring
  Sequence missing = 0;      // an event that the source shows now and did not when the lambda passed there
  bool goes_back = false;    // as soon as its jobs have ended: until then nothing of it is issued
  std::uint64_t ticket = 0;  // in OutputBudget::waiting; 0: in none
  // Of all lanes of the topology, kept with the first that has outputs:
  std::uint64_t charged = 0;      // to the budget
  std::uint64_t idle_ticket = 0;  // in OutputBudget::idle

  static constexpr std::uint64_t entry_bytes = 96;
  static std::uint64_t bytes_of(const OutputPtr& output) {
    return entry_bytes + (output ? output->size() : 0);
  }

  std::uint64_t used() const { return bytes + reserved; }
  void put(Sequence sequence, OutputPtr output);
  void drop_to(Sequence last);      // entries up to it; `from` is at least there
  void drop_behind(Sequence last);  // entries above it
  void restart(Sequence at);        // nothing is known but where the lambda stands
};

// What the outputs of one topology may take: of each lambda and subject, and of all subjects together. A
// subject that has any is charged at least a job's worth for each of its lambdas with outputs, so that one
// that has begun can always go on: no two wait for each other. Whoever finds no room waits for it in turn;
// subjects of which nothing goes on lose theirs first.
struct OutputBudget {
  std::uint64_t lane_bytes_max = 0;  // a job is issued while so much is not reached
  std::uint64_t job_bytes_max = 0;
  std::uint64_t bytes_max = 0;
  std::uint64_t charged = 0;

  struct Place {
    SubjectSlot slot = no_slot;
    std::uint32_t lane = 0;
  };
  std::uint64_t last_ticket = 0;
  std::map<std::uint64_t, Place> waiting;  // lanes that found no room
  std::map<std::uint64_t, Place> idle;     // the first lane with outputs of subjects of which nothing goes on
  bool stirred = false;                    // there may be room now
};

}  // namespace cape::scheduler
