#include "broker/tracker/vicinity.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape::tracker {

std::vector<PlannedQuery> plan_by_vicinity(std::vector<Sequence> cursors, Sequence latest,
                                           std::uint32_t batch) {
  CAPE_CHECK(batch > 0);
  std::ranges::sort(cursors);
  std::vector<PlannedQuery> queries;
  for (const Sequence cursor : cursors) {
    if (cursor >= latest) break;
    const bool joins = !queries.empty() && cursor - (queries.back().start - 1) < batch;
    if (!joins) queries.push_back({.start = cursor + 1, .events_max = batch});
  }
  return queries;
}

}  // namespace cape::tracker
