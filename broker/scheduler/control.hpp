// broker/scheduler/control.hpp
// What operators asked of one subject: pauses, and acts on their way. Most subjects have none. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/scheduler/messages.hpp"

namespace cape::scheduler {

struct Control {
  struct Pause {
    std::uint32_t place = 0;  // index into DomainLayout::topologies
    std::string reason;
  };
  // Waits for the jobs of its topology to end, then for its save.
  struct Pending {
    std::uint64_t id = 0;
    Act act = Act::pause;
    std::uint32_t place = 0;
    Sequence sequence = 0;
    std::string reason;

    bool applied = false;
    Sequence from = 0, to = 0;  // as CommandDone tells, once applied
    std::uint64_t version = 0;  // of the save that carries it; 0: none does yet
  };
  std::vector<Pause> pauses;  // by place, rising
  std::vector<Pending> acts;  // oldest first

  bool empty() const { return pauses.empty() && acts.empty(); }
  const Pause* pause_of(std::uint32_t place) const {
    for (const Pause& pause : pauses)
      if (pause.place == place) return &pause;
    return nullptr;
  }
};

// A pause lets what is in flight finish; everything else waits until nothing is.
inline bool needs_fence(Act act) {
  return act != Act::pause && act != Act::resume;
}

}  // namespace cape::scheduler
