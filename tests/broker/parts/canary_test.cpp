// What Canary decides, under virtual time.
#include "broker/canary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

namespace cape::broker {
namespace {

using storage::PluginVersion;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const PluginVersion v1{"1111111111", "1.0"}, v2{"2222222222", "2.0"}, v3{"3333333333", "3.0"};

struct CanaryWorld {
  explicit CanaryWorld(CanaryPolicy policy = {.share = 500, .for_ms = 60'000},
                       storage::Canary stored = fresh())
      : canary(policy, std::move(stored)) {}

  static storage::Canary fresh() { return {.topology = "t", .lambda = "l"}; }
  static VersionSeen newest(PluginVersion version) { return {.version = std::move(version), .serves = true}; }
  static VersionSeen kept(PluginVersion version) { return {.version = std::move(version), .serves = false}; }

  // The hosts have that; what follows takes effect at once.
  void see(std::vector<VersionSeen> seen) {
    now.boot_ns += ns_per_s;
    canary.saw(seen, now);
    settle();
  }
  void settle() {
    for (CanaryLine& line : canary.take_lines()) said += line.text + "\n";
    if (canary.take_changed()) {
      ++changes;
      canary.took_effect(now);
    }
  }
  void run(bool candidate, std::uint32_t events, std::uint32_t failed = 0, std::int64_t ms = 2) {
    canary.ended({.of_candidate = candidate, .events_done = events - failed, .event_ns = ms * ns_per_ms});
    for (std::uint32_t i = 0; i < failed; ++i)
      canary.ended({.of_candidate = candidate, .failed = true, .event_ns = ms * ns_per_ms});
  }
  void pass(std::int64_t s) {
    now.boot_ns += s * ns_per_s;
    now.wall_ns += s * ns_per_s;
    canary.passed(now);
    settle();
  }
  // v1 serves, v2 is tried.
  void begin_canary() {
    see({newest(v1)});
    see({newest(v2), kept(v1)});
    ASSERT_EQ(canary.record().candidate, v2);
  }
  const storage::Canary& record() const { return canary.record(); }

  Canary canary;
  Now now{.boot_ns = 1000 * ns_per_s, .wall_ns = 5000 * ns_per_s};
  std::string said;
  int changes = 0;
};

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

TEST(Canary, RolledBackVersionIsNotTriedAgainWhileItsFileLies) {
  CanaryWorld world;
  world.begin_canary();
  ASSERT_EQ(world.canary.roll_back("", world.now), "");
  world.settle();
  for (int i = 0; i < 100; ++i) world.see({world.newest(v2), world.kept(v1)});

  EXPECT_FALSE(world.canary.runs());
  EXPECT_EQ(world.record().stable, v1);
}

TEST(Canary, RolledBackVersionIsTriedAgainWhenItIsDroppedOnceMore) {
  CanaryWorld world;
  world.begin_canary();
  ASSERT_EQ(world.canary.roll_back("", world.now), "");
  world.settle();
  for (int i = 0; i < 15; ++i) world.see({world.newest(v1)});
  world.see({world.newest(v2), world.kept(v1)});

  EXPECT_EQ(world.record().candidate, v2);
}

TEST(Canary, FormerStableVersionOnAnotherHostDoesNotComeBack) {
  CanaryWorld world;
  world.begin_canary();
  ASSERT_EQ(world.canary.promote("looks fine", world.now), "");
  world.settle();
  for (int i = 0; i < 100; ++i) world.see({world.newest(v2), world.newest(v1)});

  EXPECT_EQ(world.record().stable, v2);
  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict, HasSubstr("by hand: looks fine"));
}

TEST(Canary, ThirdVersionTakesThePlaceOfTheCandidateFromTheFirstShareOn) {
  CanaryWorld world;
  world.begin_canary();
  world.run(false, 100'000);
  world.run(true, 100'000);
  world.pass(60);
  ASSERT_EQ(world.record().share, 2500u);
  world.see({world.newest(v3), world.kept(v1)});

  EXPECT_EQ(world.record().candidate, v3);
  EXPECT_EQ(world.record().stable, v1);
  EXPECT_EQ(world.record().share, 500u);
  EXPECT_EQ(world.canary.candidate().events, 0u);
  EXPECT_THAT(world.said,
              HasSubstr("version 2.0 (22222222) gave way to 1.0 (11111111); 3.0 (33333333) came after it"));
}

TEST(Canary, HostsOfDifferentContentsDoNotMakeCandidatesTakeTurns) {
  CanaryWorld world;
  world.see({world.newest(v1)});
  for (int i = 0; i < 100; ++i) world.see({world.newest(v1), world.newest(v2), world.newest(v3)});

  EXPECT_EQ(world.record().candidate, v3) << "the last one that was seen first";
  EXPECT_EQ(world.changes, 2) << "once stable, once v2 and at once v3";
}

TEST(Canary, CandidateWhoseFileIsRemovedIsRolledBack) {
  CanaryWorld world;
  world.begin_canary();
  for (int i = 0; i < 9; ++i) world.see({world.newest(v1), world.kept(v2)});
  EXPECT_TRUE(world.canary.runs()) << "its host may be starting again";
  for (int i = 0; i < 9; ++i) world.see({world.newest(v1), world.kept(v2)});

  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict, HasSubstr("no host's plugin directory has it"));
}

TEST(Canary, GoesOnWhileNoHostIsThere) {
  CanaryWorld world;
  world.begin_canary();
  for (int i = 0; i < 1000; ++i) world.see({});

  EXPECT_EQ(world.record().candidate, v2);
  EXPECT_EQ(world.record().share, 500u);
}

TEST(Canary, CandidateThatAHostSetAsideIsRolledBackAtOnce) {
  CanaryWorld world;
  world.begin_canary();
  world.see({world.newest(v1), {.version = v2, .set_aside = "it crashed 3 times"}});

  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict, HasSubstr("it crashed 3 times"));
}

TEST(Canary, GoesOnAfterARestartWithTheSameShareAndBeginsItsStageAnew) {
  CanaryWorld before;
  before.begin_canary();
  before.run(false, 100'000);
  before.run(true, 100'000);
  before.pass(60);
  ASSERT_EQ(before.record().share, 2500u);

  CanaryWorld after({.share = 500, .for_ms = 60'000}, before.record());
  after.canary.took_effect(after.now);
  EXPECT_EQ(after.record(), before.record());
  after.see({after.newest(v2), after.kept(v1)});
  EXPECT_EQ(after.record(), before.record());
  after.pass(58);
  EXPECT_EQ(after.canary.extensions(), 0u);
  after.run(false, 200);
  after.run(true, 200);
  after.pass(1);
  EXPECT_EQ(after.record().stable, v2);
}

TEST(Canary, PinEndsItAndPromotionsAreRefusedWhileItHolds) {
  CanaryWorld world;
  world.begin_canary();
  world.canary.pinned(true, world.now);
  world.settle();

  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict, HasSubstr("pinned"));
  EXPECT_THAT(world.canary.promote("", world.now), HasSubstr("unpin"));
  EXPECT_THAT(world.canary.roll_back("", world.now), HasSubstr("unpin"));
  world.see({world.newest(v3)});
  EXPECT_FALSE(world.canary.runs()) << "nothing is tried on a pinned plugin";
}

TEST(Canary, VersionThatIsPinnedIsStableFromThenOn) {
  CanaryWorld world;
  world.see({world.newest(v1)});
  world.canary.pinned(true, world.now);
  world.see({world.newest(v3), world.kept(v1)});

  EXPECT_EQ(world.record().stable, v3);
  EXPECT_TRUE(world.record().stable_in_twin) << "no slot is given other bytes while its jobs run";
  EXPECT_FALSE(world.canary.runs());

  world.canary.pinned(false, world.now);
  world.see({world.newest(v1), world.kept(v3)});
  EXPECT_EQ(world.record().stable, v3);
  EXPECT_EQ(world.record().candidate, v1) << "what the directories have is tried";
}

TEST(Canary, ByHandTellsWhatThereIsNotToDo) {
  CanaryWorld world;
  world.see({world.newest(v1)});

  EXPECT_THAT(world.canary.promote("", world.now), HasSubstr("no other version than 1.0 (11111111)"));
  EXPECT_THAT(world.canary.roll_back("", world.now), HasSubstr("no canary runs"));
  EXPECT_EQ(world.changes, 1);
}

TEST(Canary, RolledBackVersionCanBePromotedByHand) {
  CanaryWorld world;
  world.begin_canary();
  ASSERT_EQ(world.canary.roll_back("", world.now), "");
  world.settle();
  world.see({world.newest(v2), world.kept(v1)});
  ASSERT_EQ(world.canary.promote("", world.now), "");
  world.settle();

  EXPECT_EQ(world.record().stable, v2);
  EXPECT_TRUE(world.record().stable_in_twin);
}

TEST(Canary, KeepsNoMoreRejectedVersionsThanItsLimit) {
  CanaryWorld world;
  world.see({world.newest(v1)});
  for (int i = 0; i < 40; ++i) {
    world.see({world.newest({fmt::format("candidate{:02}", i), "9"}), world.kept(v1)});
    ASSERT_EQ(world.canary.roll_back("", world.now), "");
    world.settle();
  }

  EXPECT_LE(world.record().rejected.size(), storage::rejected_versions_max);
  EXPECT_EQ(world.record().rejected.back(), "candidate39");
}

}  // namespace
}  // namespace cape::broker
