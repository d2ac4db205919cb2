#include "broker/latency.hpp"

#include <gtest/gtest.h>

namespace cape::broker {
namespace {

TEST(LatencyHistogram, GivesQuantilesWithinThreePercent) {
  LatencyHistogram histogram;
  for (std::int64_t us = 1; us <= 10'000; ++us) histogram.add(us * 1000);

  EXPECT_NEAR(histogram.quantile_us(0.5), 5000, 5000 * 0.035);
  EXPECT_NEAR(histogram.quantile_us(0.99), 9900, 9900 * 0.035);
  EXPECT_EQ(histogram.count(), 10'000u);
}

TEST(LatencyHistogram, TakesWhatLiesOutsideItsRange) {
  LatencyHistogram histogram;
  histogram.add(-5);
  histogram.add(INT64_MAX);

  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_GT(histogram.quantile_us(1), 1e9);
  EXPECT_LT(histogram.quantile_us(0.5), 2);
}

TEST(LatencyHistogram, IsZeroWithoutAny) { EXPECT_EQ(LatencyHistogram().quantile_us(0.99), 0); }

}  // namespace
}  // namespace cape::broker
