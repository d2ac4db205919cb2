// What Canary decides from what hosts have, from what operators say, and after a restart.
#include <fmt/format.h>

#include "tests/broker/parts/canary_world.hpp"

namespace cape::broker {
namespace {

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

TEST(Canary, CandidateIsRolledBackToWhatIsKeptWhenNoFileIsLeft) {
  CanaryWorld world;
  world.begin_canary();
  for (int i = 0; i < 18; ++i) world.see({world.kept(v1), world.kept(v2)});

  EXPECT_FALSE(world.canary.runs());
  EXPECT_EQ(world.record().stable, v1);
  for (int i = 0; i < 15; ++i) world.see({world.kept(v1)});
  world.see({world.newest(v2), world.kept(v1)});
  EXPECT_EQ(world.record().candidate, v2) << "it was away, and is dropped once more";
}

TEST(Canary, NothingIsPromotedWhileItsFileIsMissing) {
  CanaryWorld world({.share = 10'000, .for_ms = 6'000});
  world.begin_canary();
  world.run(false, 100);
  world.run(true, 100);
  world.see({world.kept(v1), world.kept(v2)});
  world.pass(7);

  EXPECT_EQ(world.record().candidate, v2);
  EXPECT_EQ(world.canary.next_ns(), std::nullopt) << "only what hosts have moves it on";
  world.see({world.newest(v2), world.kept(v1)});
  world.pass(0);
  EXPECT_EQ(world.record().stable, v2);
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
  world.canary.pinned(v1, world.now);
  world.settle();

  EXPECT_FALSE(world.canary.runs());
  EXPECT_THAT(world.record().verdict, HasSubstr("pinned"));
  EXPECT_THAT(world.canary.promote("", world.now), HasSubstr("unpin"));
  EXPECT_THAT(world.canary.roll_back("", world.now), HasSubstr("unpin"));
  world.see({world.newest(v3)});
  EXPECT_FALSE(world.canary.runs()) << "nothing is tried on a pinned plugin";
  EXPECT_EQ(world.record().stable, v1);
}

TEST(Canary, VersionThatIsPinnedIsStableFromThenOn) {
  CanaryWorld world;
  world.see({world.newest(v1)});
  world.canary.pinned(PluginVersion{"", "3.0"}, world.now);
  world.see({world.newest(v2), world.kept(v3), world.kept(v1)});
  EXPECT_EQ(world.record().stable, v1) << "its host has not heard of the pin";
  world.see({world.newest(v3), world.kept(v1)});

  EXPECT_EQ(world.record().stable, v3);
  EXPECT_TRUE(world.record().stable_in_twin) << "no slot is given other bytes while its jobs run";
  EXPECT_FALSE(world.canary.runs());

  world.canary.pinned(std::nullopt, world.now);
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
