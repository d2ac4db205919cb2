#include "host/worker/metric_totals.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "host/child/layout.hpp"

namespace cape::host {
namespace {

std::vector<child::ChildMetric> counted(double files, double open) {
  return {{.name = "files", .value = files}, {.name = "open", .is_gauge = true, .value = open}};
}

TEST(MetricTotals, CountersGoOnAfterAChildAndGaugesEndWithIt) {
  MetricTotals ended;
  ended.ended(3, counted(10, 4));
  MetricTotals now = ended;
  now.add(3, counted(5, 1));
  now.add(3, counted(2, 1));
  now.add(1, counted(7, 0));

  const std::vector<wire::LambdaMetric> all = now.all();

  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].lambda, 1u);
  EXPECT_EQ(all[0].value, 7);
  EXPECT_EQ(all[2].name, "files");
  EXPECT_FALSE(all[2].is_gauge);
  EXPECT_EQ(all[2].value, 17);
  EXPECT_EQ(all[3].name, "open");
  EXPECT_EQ(all[3].value, 2);
}

TEST(MetricTotals, HoldsNoMoreNamesThanOneChildMayHaveWhateverChildrenInvent) {
  MetricTotals totals;
  for (int i = 0; i < 1000; ++i) {
    const child::ChildMetric metric{.name = "n" + std::to_string(i), .value = 1};
    totals.ended(0, {&metric, 1});
  }

  EXPECT_EQ(totals.all().size(), child::metrics_max);
}

TEST(MetricTotals, ASumThatIsNoNumberAnyMoreIsNotMade) {
  MetricTotals totals;
  totals.add(0, counted(std::numeric_limits<double>::max(), 0));
  totals.add(0, counted(std::numeric_limits<double>::max(), 0));

  EXPECT_EQ(totals.all()[0].value, std::numeric_limits<double>::max());
}

}  // namespace
}  // namespace cape::host
