// broker/scheduler/timers.hpp
// TimerHeap: the times at which lanes wake, earliest first, ties by subject and lane. A cancelled timer stays
// until it comes up: its owner knows by Lane::timer_ns whether it still counts.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/scheduler/subject.hpp"

namespace cape::scheduler {

struct Timer {
  std::int64_t at_ns = 0;  // boot time
  SubjectId subject = 0;
  std::uint32_t lane = 0;

  auto operator<=>(const Timer&) const = default;
};

class TimerHeap {
 public:
  void add(const Timer& timer);
  const Timer* first() const { return heap_.empty() ? nullptr : &heap_.front(); }
  Timer pop();  // requires: first()

 private:
  std::vector<Timer> heap_;
};

}  // namespace cape::scheduler
