#include "host/worker/cpu_watch.hpp"

#include <gtest/gtest.h>

namespace cape::host {
namespace {

constexpr std::int64_t start_ns = 1'000 * ns_per_s;

// Looks every two seconds at a child that uses `cpu_ms` a second; counts what is told in `seconds`.
int told_of(std::uint64_t cpu_ms, bool busy, int seconds) {
  CpuWatch watch;
  int told = 0;
  for (int s = 0; s <= seconds; s += 2)
    told += watch.looked(start_ns + s * ns_per_s, cpu_ms * static_cast<std::uint64_t>(s), busy).has_value();
  return told;
}

TEST(CpuWatch, TellsOfAChildThatIsBusyWithoutAnEventOnceAMinute) {
  EXPECT_EQ(told_of(900, false, 8), 0) << "the window is not over";
  EXPECT_EQ(told_of(900, false, 12), 1);
  EXPECT_EQ(told_of(900, false, 60), 1);
  EXPECT_EQ(told_of(900, false, 80), 2);
}

TEST(CpuWatch, TellsNothingOfOneThatHasEventsOrRests) {
  EXPECT_EQ(told_of(1000, true, 60), 0);
  EXPECT_EQ(told_of(400, false, 60), 0);
}

TEST(CpuWatch, TellsTheShareOfTheWindowAlone) {
  CpuWatch watch;
  (void)watch.looked(start_ns, 1'000'000, false);

  const auto share = watch.looked(start_ns + 10 * ns_per_s, 1'020'000, false);

  ASSERT_TRUE(share);
  EXPECT_DOUBLE_EQ(*share, 2.0) << "two cores";
}

TEST(CpuWatch, AnEventBetweenTwoLooksBeginsTheWindowAnew) {
  CpuWatch watch;
  (void)watch.looked(start_ns, 0, false);
  (void)watch.looked(start_ns + 9 * ns_per_s, 9'000, true);

  EXPECT_FALSE(watch.looked(start_ns + 11 * ns_per_s, 11'000, false));
}

}  // namespace
}  // namespace cape::host
