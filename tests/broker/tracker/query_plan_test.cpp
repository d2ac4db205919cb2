#include "broker/tracker/query_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace cape::tracker {
namespace {

using Queries = std::vector<PlannedQuery>;

constexpr QueryBounds three{.batch = 10, .batch_max = 40, .queries_max = 3};

TEST(QueryPlan, IsThatOfVicinityWhereTheGroupsAreFew) {
  const QueryPlan plan = plan_queries({10, 90, 99, 99}, 100, three);

  EXPECT_EQ(plan.queries, (Queries{{11, 10}, {91, 10}}));
  EXPECT_TRUE(plan.whole);
}

TEST(QueryPlan, MakesGroupsThatLagWiderSoThatAllHaveAQuery) {
  const QueryPlan plan = plan_queries({10, 30, 50, 70, 1000}, 2000, three);

  EXPECT_EQ(plan.queries, (Queries{{11, 40}, {51, 40}, {1001, 10}}));
  EXPECT_TRUE(plan.whole);
}

TEST(QueryPlan, AlwaysHoldsTheFreshestTheLowestAndAtMostWhatIsAllowed) {
  std::vector<Sequence> cursors;
  for (Sequence c = 0; c < 50; ++c) cursors.push_back(c * 1000);
  for (std::uint64_t turn = 0; turn < 100; ++turn) {
    const QueryPlan plan = plan_queries(cursors, 1'000'000, {.batch = 10, .batch_max = 40, .queries_max = 4, .turn = turn});
    ASSERT_EQ(plan.queries.size(), 4u);
    EXPECT_FALSE(plan.whole);
    EXPECT_EQ(plan.queries.front(), (PlannedQuery{1, 40}));
    EXPECT_EQ(plan.queries[2], (PlannedQuery{48'001, 40}));
    EXPECT_EQ(plan.queries.back(), (PlannedQuery{49'001, 10}));
    EXPECT_TRUE(std::ranges::is_sorted(plan.queries, {}, &PlannedQuery::start));
  }
}

TEST(QueryPlan, LeavesNoCursorOutInEveryTurn) {
  std::vector<Sequence> cursors;
  for (Sequence c = 0; c < 50; ++c) cursors.push_back(c * 1000);
  for (const std::size_t queries_max : {2, 3, 4, 5}) {
    std::set<Sequence> asked;
    for (std::uint64_t turn = 0; turn < 400; ++turn)
      for (const PlannedQuery& query :
           plan_queries(cursors, 1'000'000, {.batch = 10, .batch_max = 40, .queries_max = queries_max, .turn = turn}).queries)
        asked.insert(query.start);
    EXPECT_EQ(asked.size(), 50u) << queries_max;
  }
}

}  // namespace
}  // namespace cape::tracker
