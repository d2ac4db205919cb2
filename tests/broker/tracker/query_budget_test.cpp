#include "broker/tracker/query_budget.hpp"

#include <gtest/gtest.h>

namespace cape::tracker {
namespace {

TEST(QueryBudget, HasNoBoundUnlessOneIsGiven) {
  QueryBudget budget(0);
  budget.spend(1'000'000, 0);
  EXPECT_TRUE(budget.may_read(0));
  EXPECT_EQ(budget.queries_max(0), QueryBudget::per_read_max);
}

TEST(QueryBudget, KeepsToItsQueriesASecond) {
  QueryBudget budget(100);
  std::size_t asked = 0;
  for (std::int64_t now = ns_per_s; now < 11 * ns_per_s; now += ns_per_ms)
    while (budget.may_read(now)) {
      budget.spend(budget.queries_max(now), now);
      asked += budget.queries_max(now);
    }
  EXPECT_GE(asked, 980u);
  EXPECT_LE(asked, 1030u);
}

TEST(QueryBudget, KeepsReadsSmallWhileItIsShort) {
  QueryBudget budget(100);
  EXPECT_EQ(budget.queries_max(ns_per_s), QueryBudget::per_read_max);
  budget.spend(8, ns_per_s);
  EXPECT_TRUE(budget.may_read(ns_per_s));
  EXPECT_EQ(budget.queries_max(ns_per_s), QueryBudget::per_read_when_short);
}

TEST(QueryBudget, TellsWhenTheNextReadMayBe) {
  QueryBudget budget(100);
  budget.spend(20, ns_per_s);
  EXPECT_FALSE(budget.may_read(ns_per_s));
  EXPECT_FALSE(budget.may_read(budget.next_ns() - 1));
  EXPECT_TRUE(budget.may_read(budget.next_ns()));
}

}  // namespace
}  // namespace cape::tracker
