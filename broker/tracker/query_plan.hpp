// broker/tracker/query_plan.hpp
// Plans the queries of one read within a bound, so that topologies that lag cannot ruin their source: with a
// query for each group of cursors a read costs the more the further they are apart, its answer comes the later,
// and by then they are further apart. Pure.
//
// The group furthest ahead always gets its query: what is fresh does not wait for what lags. The rest share
// `queries_max` - 1. Where there are more groups, they are first made wider, up to batch_max, so that a query
// brings more events to more cursors. Where that does not do, some are left for the next read: one slot is for
// the lowest group, which so catches up with the next one and becomes one with it; one for the highest, which
// soon is not behind any more; what is left goes to any of the others. With fewer slots these take turns.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/tracker/vicinity.hpp"

namespace cape::tracker {

struct QueryBounds {
  std::uint32_t batch = 1;      // events of a query
  std::uint32_t batch_max = 1;  // of one for cursors that lag
  std::size_t queries_max = 2;  // of the read, at least 2
  std::uint64_t turn = 0;       // random: decides who gets a slot that not all can have
};

struct QueryPlan {
  std::vector<PlannedQuery> queries;  // rising
  bool whole = true;                  // false: some cursors that lag were left out
};

QueryPlan plan_queries(std::vector<Sequence> cursors, Sequence latest, const QueryBounds& bounds);

}  // namespace cape::tracker
