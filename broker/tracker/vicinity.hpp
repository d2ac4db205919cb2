// broker/tracker/vicinity.hpp
// Plans the fewest queries that let every topology of a subject progress. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "core/types.hpp"

namespace cape::tracker {

struct PlannedQuery {
  Sequence start = 1;
  std::uint32_t events_max = 0;
  bool operator==(const PlannedQuery&) const = default;
};

// Sorts the cursors; a group opens at the lowest, c0, and takes each c with c - c0 < batch; one query
// (c0 + 1, batch) per group. Cursors at or above `latest` need none.
std::vector<PlannedQuery> plan_by_vicinity(std::vector<Sequence> cursors, Sequence latest,
                                           std::uint32_t batch);

}  // namespace cape::tracker
