#include "broker/tracker/query_plan.hpp"

#include <algorithm>
#include <span>

#include "core/error.hpp"

namespace cape::tracker {
namespace {

// Of `groups` so many as there are slots: which, tells the comment in the header.
std::vector<PlannedQuery> chosen_of(const std::vector<PlannedQuery>& groups, std::size_t slots, std::uint64_t turn) {
  const std::size_t last = groups.size() - 1;
  std::vector<std::size_t> picked;
  if (slots == 1) picked.push_back(turn % 3 == 0 ? 0 : turn % 3 == 1 ? last : turn / 3 % groups.size());
  if (slots == 2) picked = {0, 1 + turn % last};
  if (slots > 2) picked = {0, last};
  for (std::size_t i = 0; picked.size() < slots; ++i)  // neighbours from a random one on
    picked.push_back(1 + (turn + i) % (last - 1));
  std::ranges::sort(picked);
  std::vector<PlannedQuery> chosen;
  for (const std::size_t place : picked) chosen.push_back(groups[place]);
  return chosen;
}

}  // namespace

QueryPlan plan_queries(std::vector<Sequence> cursors, Sequence latest, const QueryBounds& bounds) {
  CAPE_CHECK(bounds.queries_max > 1 && bounds.batch > 0 && bounds.batch_max >= bounds.batch);
  QueryPlan plan{.queries = plan_by_vicinity(cursors, latest, bounds.batch)};
  if (plan.queries.size() <= bounds.queries_max) return plan;
  const PlannedQuery fresh = plan.queries.back();
  std::erase_if(cursors, [&](Sequence cursor) { return cursor >= fresh.start - 1; });
  const std::size_t slots = bounds.queries_max - 1;
  std::vector<PlannedQuery> groups(plan.queries.begin(), plan.queries.end() - 1);
  for (std::uint32_t batch = bounds.batch; groups.size() > slots && batch < bounds.batch_max;) {
    batch = std::min(bounds.batch_max, batch * 2);
    groups = plan_by_vicinity(cursors, latest, batch);
  }
  plan.whole = groups.size() <= slots;
  plan.queries = plan.whole ? std::move(groups) : chosen_of(groups, slots, bounds.turn);
  plan.queries.push_back(fresh);
  return plan;
}

}  // namespace cape::tracker
