// What Canary decides from how events end, under virtual time.
#include "tests/broker/parts/canary_world.hpp"

namespace cape::broker {
namespace {

TEST(Canary, FirstVersionServesWithoutACanary) {
  CanaryWorld world;
  world.see({world.newest(v1)});

  EXPECT_EQ(world.record().stable, v1);
  EXPECT_FALSE(world.canary.runs());
  EXPECT_EQ(world.record().share, 0u);
}

TEST(Canary, NewVersionGetsItsShareAndNoMore) {
  CanaryWorld world;
  world.begin_canary();

  EXPECT_EQ(world.record().stable, v1);
  EXPECT_EQ(world.record().share, 500u);
  EXPECT_EQ(world.record().began_wall_ns, world.now.wall_ns);
  EXPECT_THAT(world.said, HasSubstr("t.l: canary: version 2.0 (22222222) gets 5% of the subjects"));
}

TEST(Canary, GoodVersionIsPromotedFromFiveOverTwentyFiveToAll) {
  CanaryWorld world;
  world.begin_canary();
  std::vector<std::uint32_t> shares{world.record().share};

  world.run(false, 2000);
  world.run(true, 100);
  world.pass(60);
  shares.push_back(world.record().share);
  EXPECT_EQ(world.record().stable, v1) << "25 % are not all";
  world.run(false, 1500);
  world.run(true, 500);
  world.pass(60);

  EXPECT_THAT(shares, testing::ElementsAre(500u, 2500u));
  EXPECT_EQ(world.record().stable, v2);
  EXPECT_TRUE(world.record().candidate.empty());
  EXPECT_TRUE(world.record().stable_in_twin) << "it stays in the slot in which it ran";
  EXPECT_THAT(world.record().verdict, AllOf(HasSubstr("promoted"), HasSubstr("2.0"), HasSubstr("1.0")));
}

TEST(Canary, StageLastsItsTimeHoweverManyEventsRun) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 100'000);
  world.run(true, 100'000);

  world.pass(59);
  EXPECT_EQ(world.record().share, 500u);
  world.pass(1);
  EXPECT_EQ(world.record().share, 2500u);
}

TEST(Canary, FewerThanAHundredEventsExtendTheStageAndAreTold) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 2000);
  world.run(true, 99);
  world.pass(60);

  EXPECT_EQ(world.record().share, 500u);
  EXPECT_EQ(world.canary.extensions(), 1u);
  EXPECT_THAT(world.said, AllOf(HasSubstr("goes on"), HasSubstr("99 events"), HasSubstr("below 100")));

  world.run(true, 1);
  world.pass(60);
  EXPECT_EQ(world.record().share, 2500u) << "what ran before the extension counts";
}

TEST(Canary, FewerThanAHundredEventsOfTheStableOneAreTooFewAsWell) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 99);
  world.run(true, 5000, 5000);
  world.pass(60);

  EXPECT_TRUE(world.canary.runs()) << "there is nothing to compare with";
}

TEST(Canary, VersionThatFailsMoreIsRolledBackBeforeTheStageEnds) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 1000, 10);
  world.run(true, 100, 3);
  world.pass(1);

  EXPECT_FALSE(world.canary.runs());
  EXPECT_EQ(world.record().stable, v1);
  EXPECT_EQ(world.record().share, 0u);
  EXPECT_FALSE(world.record().stable_in_twin);
  EXPECT_THAT(world.record().verdict,
              AllOf(HasSubstr("rolled back"), HasSubstr("3 of its 100 events failed (3.00%)"),
                    HasSubstr("10 of 1000 (1.00%)"), HasSubstr("2x")))
      << "both numbers that were compared";
}

TEST(Canary, VersionThatFailsAsOftenAsTheOtherIsNotRolledBack) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 1000, 300);
  world.run(true, 100, 60);  // twice, not more
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

TEST(Canary, TwoFailuresProveNothing) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 1000);
  world.run(true, 100, 2);
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

TEST(Canary, SlowerVersionIsRolledBack) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 1000, 0, 10);
  world.run(true, 100, 0, 30);
  world.pass(1);

  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict,
              AllOf(HasSubstr("p95: 30."), HasSubstr("against 10."), HasSubstr("more than 2x")));
}

TEST(Canary, SlownessOfAFewEventsIsNotTheNinetyFifthPercentile) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 1000, 0, 10);
  world.run(true, 96, 0, 10);
  world.run(true, 4, 0, 500);
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

TEST(Canary, LessThanAMillisecondIsNoSlowness) {
  CanaryWorld world;
  world.begin_canary();
  world.canary.ended({.of_candidate = false, .events_done = 1000, .event_ns = 20'000});
  world.canary.ended({.of_candidate = true, .events_done = 1000, .event_ns = 900'000});
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

TEST(Canary, ComparesOnlyWhatThePolicyNames) {
  CanaryWorld world({.share = 500, .for_ms = 60'000, .errors_factor = 0, .p95_factor = 0});
  world.begin_canary();
  world.run(false, 1000, 0, 1);
  world.run(true, 1000, 1000, 900);
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

TEST(Canary, EachStageComparesItsOwnEventsAlone) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 100'000);
  world.run(true, 100'000);
  world.pass(60);
  ASSERT_EQ(world.record().share, 2500u);
  world.run(false, 1000);
  world.run(true, 100, 3);
  world.pass(1);

  EXPECT_FALSE(world.canary.runs()) << "what ran in the first stage must not hide it";
}

TEST(Canary, WhatRanBeforeTheShareTookEffectDoesNotCount) {
  CanaryWorld world;
  world.see({world.newest(v1)});
  world.canary.saw(std::vector{world.newest(v2)}, world.now);  // not stored yet
  world.run(false, 1000);
  world.run(true, 1000, 1000);
  world.pass(1);

  EXPECT_TRUE(world.canary.runs());
}

}  // namespace
}  // namespace cape::broker
