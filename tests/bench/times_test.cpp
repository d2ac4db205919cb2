// The times that a child may take, in a form that holds on a busy machine: where the machine itself takes
// long for any process just then, so may ours. `cape-bench` tells the exact ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/bench/child_times.hpp"
#include "tests/bench/quantiles.hpp"

namespace cape::bench {
namespace {

// As long as it may take at all, or so many starts of /bin/true made in between.
double allowed_ms(double most_ms, double plain_starts, const Quantiles& plain) {
  return std::max(most_ms, plain_starts * plain.p50_ms);
}

TEST(ChildTimes, ColdStartTakesTenMillisecondsAtMost) {
  const Starts starts = measure_starts(60);

  const Quantiles child = quantiles_of(starts.child_ns), plain = quantiles_of(starts.plain_ns);
  std::printf("start to ready: %s\n/bin/true: %s\n", to_text(child).c_str(), to_text(plain).c_str());
  EXPECT_LE(child.p50_ms, allowed_ms(10, 12, plain));
}

TEST(ChildTimes, ChildOfASpareIsReadySooner) {
  const Starts starts = measure_starts(60);

  const Quantiles anew = quantiles_of(starts.child_ns), spare = quantiles_of(starts.spare_ns);
  std::printf("start to ready: %s\nof a spare: %s\n", to_text(anew).c_str(), to_text(spare).c_str());
  EXPECT_LT(spare.p50_ms, anew.p50_ms);
}

TEST(ChildTimes, RecoveryFromACrashTakesFiftyMillisecondsAtMost) {
  const Recoveries recoveries = measure_recoveries(60);

  const Quantiles all = quantiles_of(recoveries.recovery_ns), plain = quantiles_of(recoveries.plain_ns);
  std::printf("crash to next event: %s\n/bin/true: %s\n", to_text(all).c_str(), to_text(plain).c_str());
  EXPECT_LE(all.p50_ms, allowed_ms(50, 25, plain));
}

// A doorbell and a sleep on each side are the worst: a handful of calls for each job of 256 events.
class ChildTransport : public testing::TestWithParam<Outputs> {};
std::string name_of(const testing::TestParamInfo<Outputs>& of) {
  constexpr const char* names[] = {"none", "emitted", "reserved"};
  return names[static_cast<int>(of.param)];
}
INSTANTIATE_TEST_SUITE_P(Outputs, ChildTransport,
                         testing::Values(Outputs::none, Outputs::emitted, Outputs::reserved), name_of);

TEST_P(ChildTransport, OfNoEventCostsASystemCall) {
  const Carried carried = measure_transport({.events = 200'000, .outputs = GetParam()});

  std::printf("%.0f events/s\n", carried.events_per_s);
  if (!carried.host_syscalls || !carried.child_syscalls)
    GTEST_SKIP() << "system calls cannot be counted here: " << carried.why_not_counted;
  std::printf("system calls an event: host %.4f, child %.4f\n", *carried.host_syscalls,
              *carried.child_syscalls);
  EXPECT_LT(*carried.host_syscalls, 0.1);
  EXPECT_LT(*carried.child_syscalls, 0.1);
  EXPECT_GT(carried.events_per_s, 0);
}

}  // namespace
}  // namespace cape::bench
