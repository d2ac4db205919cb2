#include "core/breaker.hpp"

#include <gtest/gtest.h>

namespace cape {
namespace {

constexpr std::int64_t ms = 1'000'000;

Breaker after_failures_of(std::uint64_t subjects) {
  Breaker breaker({.subjects = 5, .wait_first_ns = 200 * ms, .wait_max_ns = 1000 * ms});
  for (std::uint64_t subject = 1; subject <= subjects; ++subject) breaker.on_failure(subject, 100 + subject, 0);
  return breaker;
}

TEST(Breaker, OpensWhenSoManyDifferentSubjectsFailedInARow) {
  EXPECT_FALSE(after_failures_of(4).is_open());
  EXPECT_TRUE(after_failures_of(5).is_open());
}

TEST(Breaker, OneSubjectThatFailsAgainAndAgainDoesNotOpenIt) {
  Breaker breaker = after_failures_of(4);
  for (int i = 0; i < 1000; ++i) breaker.on_failure(2, 7, 0);
  EXPECT_FALSE(breaker.is_open());
}

TEST(Breaker, ASuccessBetweenBeginsTheCountAnew) {
  Breaker breaker = after_failures_of(4);
  breaker.on_success();
  for (std::uint64_t subject = 1; subject <= 4; ++subject) breaker.on_failure(subject, 7, 0);
  EXPECT_FALSE(breaker.is_open());
}

TEST(Breaker, AFreshSubjectProbesAtOnceAndAFailedOneWaits) {
  const Breaker breaker = after_failures_of(5);
  EXPECT_TRUE(breaker.admits(true, 0));
  EXPECT_FALSE(breaker.admits(false, 199 * ms));
  EXPECT_TRUE(breaker.admits(false, 200 * ms));
}

TEST(Breaker, OneProbeOfAKindIsOutAndTheNextWaitsTwiceAsLong) {
  Breaker breaker = after_failures_of(5);
  breaker.begin_probe(1, true, 0);
  EXPECT_FALSE(breaker.admits(true, 100 * ms));
  breaker.on_failure(9, 1, 100 * ms);
  EXPECT_FALSE(breaker.admits(true, 299 * ms));
  EXPECT_TRUE(breaker.admits(true, 300 * ms));
  breaker.begin_probe(2, true, 300 * ms);
  breaker.on_failure(10, 2, 300 * ms);
  EXPECT_EQ(breaker.ready_ns(true), 700 * ms);
  for (std::uint64_t id = 3; id < 9; ++id) {
    const std::int64_t now = breaker.ready_ns(true);
    breaker.begin_probe(id, true, now);
    breaker.on_failure(20 + id, id, now);
    EXPECT_LE(breaker.ready_ns(true), now + 1000 * ms);
  }
}

TEST(Breaker, AProbeThatHangsHoldsUpNoFreshOneForLong) {
  Breaker breaker = after_failures_of(5);
  breaker.begin_probe(1, true, 0);
  EXPECT_TRUE(breaker.admits(true, 200 * ms));
  breaker.begin_probe(2, false, 200 * ms);
  EXPECT_EQ(breaker.ready_ns(false), INT64_MAX);
  EXPECT_TRUE(breaker.admits(true, 200 * ms));
}

TEST(Breaker, AProbeThatTellsNothingMakesRoomForTheNext) {
  Breaker breaker = after_failures_of(5);
  breaker.begin_probe(1, true, 0);
  breaker.on_end(1);
  EXPECT_TRUE(breaker.admits(true, 0));
}

TEST(Breaker, OneSuccessClosesIt) {
  Breaker breaker = after_failures_of(5);
  breaker.begin_probe(1, true, 0);
  breaker.on_success();
  EXPECT_FALSE(breaker.is_open());
  EXPECT_TRUE(breaker.admits(false, 0));
  EXPECT_EQ(breaker.times_opened(), 1u);
}

TEST(Breaker, FailuresOfWhatWasOutBeforeItOpenedDoNotMakeProbesWait) {
  Breaker breaker = after_failures_of(5);
  for (std::uint64_t id = 50; id < 90; ++id) breaker.on_failure(id, id, 0);
  EXPECT_TRUE(breaker.admits(true, 0));
}

}  // namespace
}  // namespace cape
