#include "broker/scheduler/timers.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"

namespace cape::scheduler {

void TimerHeap::add(const Timer& timer) {
  heap_.push_back(timer);
  std::ranges::push_heap(heap_, std::greater<>{});
}

Timer TimerHeap::pop() {
  CAPE_CHECK(!heap_.empty());
  std::ranges::pop_heap(heap_, std::greater<>{});
  const Timer timer = heap_.back();
  heap_.pop_back();
  return timer;
}

}  // namespace cape::scheduler
