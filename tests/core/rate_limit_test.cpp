#include "core/rate_limit.hpp"

#include <gtest/gtest.h>

namespace cape {
namespace {

TEST(RateLimit, LetsABurstThroughAndThenSoManyASecond) {
  RateLimit limit(10, 20);
  std::int64_t now_ns = 5 * ns_per_s;
  int passed = 0;

  for (int i = 0; i < 100; ++i) passed += limit.take(now_ns) ? 1 : 0;
  EXPECT_EQ(passed, 20);
  for (int i = 0; i < 1000; ++i) passed += limit.take(now_ns += ns_per_s / 1000) ? 1 : 0;

  EXPECT_EQ(passed, 30);
}

TEST(RateLimit, SavesNoMoreThanTheBurstAndTakesNothingFromAClockThatStepsBack) {
  RateLimit limit(10, 20);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(limit.take(3600 * ns_per_s));

  EXPECT_FALSE(limit.take(ns_per_s));
  int passed = 0;
  for (int i = 0; i < 100; ++i) passed += limit.take(7200 * ns_per_s) ? 1 : 0;

  EXPECT_EQ(passed, 20);
}

TEST(LineLimit, TellsWhatItHeldBackOnceASecond) {
  LineLimit limit(1, 2);
  std::int64_t now_ns = 10 * ns_per_s;
  for (int i = 0; i < 7; ++i) (void)limit.admit(now_ns);

  EXPECT_EQ(limit.take_held_back(now_ns), 5u);
  EXPECT_EQ(limit.take_held_back(now_ns), 0u);
  EXPECT_FALSE(limit.admit(now_ns));
  EXPECT_EQ(limit.take_held_back(now_ns + ns_per_s / 2), 0u);
  EXPECT_EQ(limit.take_held_back(now_ns + ns_per_s), 1u);
  EXPECT_TRUE(limit.admit(now_ns + ns_per_s));
}

TEST(LineLimit, TellsTheRestAtOnceAtTheEnd) {
  LineLimit limit(1, 1);
  std::int64_t now_ns = 10 * ns_per_s;
  for (int i = 0; i < 3; ++i) (void)limit.admit(now_ns);
  EXPECT_EQ(limit.take_held_back(now_ns), 2u);
  EXPECT_FALSE(limit.admit(now_ns));

  EXPECT_EQ(limit.take_held_back(now_ns, /*at_once=*/true), 1u);
}

}  // namespace
}  // namespace cape
