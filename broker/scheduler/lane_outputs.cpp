#include "broker/scheduler/lane_outputs.hpp"

#include <algorithm>
#include <utility>

namespace cape::scheduler {

void LaneOutputs::put(Sequence sequence, OutputPtr output) {
  const auto [at, is_new] = entries.try_emplace(sequence);
  if (!is_new) bytes -= bytes_of(at->second);
  bytes += bytes_of(output);
  at->second = std::move(output);
}

void LaneOutputs::drop_to(Sequence last) {
  while (!entries.empty() && entries.begin()->first <= last) {
    bytes -= bytes_of(entries.begin()->second);
    entries.erase(entries.begin());
  }
  from = std::max(from, last);
}

void LaneOutputs::drop_behind(Sequence last) {
  while (!entries.empty() && entries.rbegin()->first > last) {
    bytes -= bytes_of(entries.rbegin()->second);
    entries.erase(std::prev(entries.end()));
  }
}

void LaneOutputs::restart(Sequence at) {
  entries.clear();
  bytes = 0;
  from = at;
  missing = 0;
}

}  // namespace cape::scheduler
