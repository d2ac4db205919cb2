#include "broker/tracker/vicinity.hpp"

#include <gtest/gtest.h>

namespace cape::tracker {
namespace {

using Queries = std::vector<PlannedQuery>;

TEST(Vicinity, GivesTheQueriesOfThePublishedExample) {
  EXPECT_EQ(plan_by_vicinity({10, 90, 99, 99}, 100, 10), (Queries{{11, 10}, {91, 10}}));
}

TEST(Vicinity, DoesNotDependOnTheOrderOfTheCursors) {
  EXPECT_EQ(plan_by_vicinity({99, 10, 99, 90}, 100, 10), (Queries{{11, 10}, {91, 10}}));
}

TEST(Vicinity, AsksNothingForCursorsAtLatest) {
  EXPECT_EQ(plan_by_vicinity({100, 101}, 100, 10), Queries{});
  EXPECT_EQ(plan_by_vicinity({}, 100, 10), Queries{});
  EXPECT_EQ(plan_by_vicinity({99, 100}, 100, 10), (Queries{{100, 10}}));
}

TEST(Vicinity, AGroupEndsABatchAfterItsLowestCursor) {
  EXPECT_EQ(plan_by_vicinity({10, 19}, 100, 10), (Queries{{11, 10}}));
  EXPECT_EQ(plan_by_vicinity({10, 20}, 100, 10), (Queries{{11, 10}, {21, 10}}));
  EXPECT_EQ(plan_by_vicinity({0, 9, 18}, 100, 10),
            (Queries{{1, 10}, {19, 10}}));  // from the lowest, not the last
}

}  // namespace
}  // namespace cape::tracker
