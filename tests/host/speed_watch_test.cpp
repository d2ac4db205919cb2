// When new bytes are slower by far than those before.
#include "host/worker/speed_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cape::host {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t ms = 1'000'000;

class SpeedWatchTest : public ::testing::Test {
 protected:
  // Whether they were called slow at any of them.
  bool run(std::uint32_t events, std::int64_t each_ns) {
    bool slow = false;
    for (std::uint32_t i = 0; i < events; ++i)
      if (std::optional<std::string> said = watch.took(each_ns, 1)) {
        slow = true;
        text = *said;
      }
    return slow;
  }

  SpeedWatch watch{{.slower = 5, .above_ns = 10 * ms, .events = 100}};
  std::string text;
};

TEST_F(SpeedWatchTest, SaysItOnceAfterAHundredEventsAndNamesBothNumbers) {
  watch.begins("old");
  run(150, 2 * ms);
  watch.begins("new");

  EXPECT_FALSE(run(99, 50 * ms));
  EXPECT_TRUE(run(1, 50 * ms));
  EXPECT_THAT(text, HasSubstr("its first 100 events took 50 ms (p95), those of the version before 2 ms"));
  EXPECT_FALSE(run(500, 50 * ms));
}

TEST_F(SpeedWatchTest, NotWhenItIsFiveTimesAsLongButStillQuick) {
  watch.begins("old");
  run(100, ms / 10);
  watch.begins("new");

  EXPECT_FALSE(run(200, 10 * ms)) << "not above 10 ms";
}

TEST_F(SpeedWatchTest, NotWhenItIsLongButNotFiveTimesAsLong) {
  watch.begins("old");
  run(100, 40 * ms);
  watch.begins("new");

  EXPECT_FALSE(run(200, 200 * ms));
}

TEST_F(SpeedWatchTest, AFewSlowEventsAreNotSlowerByFar) {
  watch.begins("old");
  run(100, ms);
  watch.begins("new");

  EXPECT_FALSE(run(5, 1'000 * ms));
  EXPECT_FALSE(run(200, ms));
}

TEST_F(SpeedWatchTest, SixInAHundredAre) {
  watch.begins("old");
  run(100, ms);
  watch.begins("new");

  run(6, 1'000 * ms);
  EXPECT_TRUE(run(94, ms));
}

TEST_F(SpeedWatchTest, ComparesWithNothingWhenTooFewRanBefore) {
  watch.begins("old");
  run(99, ms);
  watch.begins("new");

  EXPECT_FALSE(run(200, 100 * ms));
}

TEST_F(SpeedWatchTest, AVersionThatHardlyRanLeavesTheOneBeforeItAsTheMeasure) {
  watch.begins("old");
  run(100, ms);
  watch.begins("between");
  run(10, 100 * ms);
  watch.begins("new");

  EXPECT_TRUE(run(100, 100 * ms));
}

TEST_F(SpeedWatchTest, BytesThatComeBackAreNotComparedAndStayTheMeasure) {
  watch.begins("old");
  run(100, ms);
  watch.begins("new");
  EXPECT_TRUE(run(100, 100 * ms));

  watch.begins("old");
  EXPECT_FALSE(run(50, 100 * ms)) << "something else is slow";
  watch.begins("newer");

  EXPECT_TRUE(run(100, 100 * ms)) << "the measure is that of the old bytes, not of the slow ones";
}

TEST_F(SpeedWatchTest, AJobOfManyEventsCountsAsThatMany) {
  watch.begins("old");
  EXPECT_FALSE(watch.took(256 * ms, 256));
  watch.begins("new");

  EXPECT_TRUE(watch.took(256 * 20 * ms, 256));
}

TEST_F(SpeedWatchTest, CanBeSwitchedOff) {
  SpeedWatch off({.slower = 0, .above_ns = ms, .events = 100});
  off.begins("old");
  off.took(100 * ms, 100);
  off.begins("new");

  EXPECT_FALSE(off.took(1'000'000 * ms, 100));
}

}  // namespace
}  // namespace cape::host
