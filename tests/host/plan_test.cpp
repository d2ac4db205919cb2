#include "host/worker/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/config/shadow.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::host {
namespace {

using ::testing::HasSubstr;

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    config.domains.push_back({.name = "d", .source = "journal"});
    config.topologies.push_back(
        {.name = "t", .lambdas = {{.name = "one", .plugin = "p"}, {.name = "two", .plugin = "p"}}});
    config.topologies.push_back({.name = "u", .lambdas = {{.name = "one", .plugin = "q"}}});
    config.file = "/etc/cape/cape.toml";
    config.data_dir = "/var/cape";
  }
  LambdaConfig& lambda() { return config.topologies[0].lambdas[0]; }
  void serve(std::uint32_t kinds, std::uint32_t wants) {
    auto image = std::make_shared<child::PluginImage>();
    image->id = "p";
    image->version = "1.0";
    image->hash = "aaaa";
    image->file = "/plugins/p.so";
    image->kinds = kinds;
    image->wants = wants;
    shelves.serving = {image};
    shelves.settled = true;
  }
  PluginServes first() { return serving_of(0, lambdas_of(config)[0], shelves); }

  Config config;
  Shelves shelves;
};

TEST_F(PlanTest, NumbersLambdasOfAllTopologiesInOrder) {
  const std::vector<LambdaPlace> places = lambdas_of(config);

  ASSERT_EQ(places.size(), 3u);
  EXPECT_EQ(places[0].name(), "t/one");
  EXPECT_EQ(places[1].name(), "t/two");
  EXPECT_EQ(places[2].name(), "u/one");
  EXPECT_EQ(plan_of(config).lambdas.size(), 3u);
}

TEST_F(PlanTest, ServesALambda) {
  serve(CAPE_KIND_LAMBDA, 0);

  EXPECT_EQ(first().hash, "aaaa");
  EXPECT_EQ(first().trouble, "");
  EXPECT_EQ(first().refused, "");
  EXPECT_EQ(offers_of(shelves).at(0).file, "/plugins/p.so");
}

TEST_F(PlanTest, NamesTheBytesWhoseWishIsRefused) {
  serve(CAPE_KIND_LAMBDA, CAPE_WANTS_STATE);

  EXPECT_EQ(first().hash, "");
  EXPECT_THAT(first().trouble, HasSubstr("wants a state directory"));
  EXPECT_EQ(first().refused, "aaaa");
}

TEST_F(PlanTest, OffersWhatTheManifestCallsALambda) {
  serve(CAPE_KIND_SOURCE, 0);
  EXPECT_TRUE(offers_of(shelves).empty());

  serve(CAPE_KIND_SOURCE | CAPE_KIND_LAMBDA, 0);
  EXPECT_EQ(offers_of(shelves).size(), 1u);
}

TEST_F(PlanTest, OffersWhatServesBeforeWhatStandsByAndSaysSinceWhen) {
  serve(CAPE_KIND_LAMBDA, 0);
  shelves.since_wall_ns[shelves.serving[0]->hash] = 77;
  auto former = std::make_shared<child::PluginImage>();
  former->id = "p";
  former->hash = "former";
  former->kinds = CAPE_KIND_LAMBDA;
  shelves.standing_by = {former};

  const std::vector<wire::PluginOffer> offers = offers_of(shelves);

  ASSERT_EQ(offers.size(), 2u);
  EXPECT_TRUE(offers[0].serves);
  EXPECT_EQ(offers[0].since_wall_ns, 77);
  EXPECT_FALSE(offers[1].serves);
  EXPECT_EQ(offers[1].hash, "former");
}

TEST_F(PlanTest, SaysWhyAPinFindsNothing) {
  shelves.settled = true;
  shelves.pin_troubles["p"] = "plugin 'p' is pinned to version 1.0";

  EXPECT_EQ(first().trouble, "plugin 'p' is pinned to version 1.0");
}

TEST_F(PlanTest, DoesNotTakeASourceForALambda) {
  serve(CAPE_KIND_SOURCE, 0);

  EXPECT_EQ(first().hash, "");
  EXPECT_THAT(first().trouble, HasSubstr("'p' is not a lambda"));
}

TEST_F(PlanTest, RefusesEachWishThatIsNotGranted) {
  serve(CAPE_KIND_LAMBDA, CAPE_WANTS_STATE);
  EXPECT_THAT(first().trouble, HasSubstr("state = true"));
  lambda().grant.state = true;
  EXPECT_EQ(first().trouble, "");

  serve(CAPE_KIND_LAMBDA, CAPE_WANTS_READ);
  EXPECT_THAT(first().trouble, HasSubstr("read = "));
  lambda().grant.read = {"/tree"};
  EXPECT_EQ(first().trouble, "");

  serve(CAPE_KIND_LAMBDA, CAPE_WANTS_WRITE);
  EXPECT_THAT(first().trouble, HasSubstr("write = "));
  lambda().grant.write = {"/tree"};
  EXPECT_EQ(first().trouble, "");

  serve(CAPE_KIND_LAMBDA, CAPE_WANTS_NETWORK);
  EXPECT_THAT(first().trouble, HasSubstr("network"));
}

TEST_F(PlanTest, SaysWhyAPluginIsMissing) {
  EXPECT_THAT(first().trouble, HasSubstr("still looked at"));
  shelves.settled = true;
  EXPECT_THAT(first().trouble, HasSubstr("no plugin 'p': copy its .so into a plugin directory"));
  shelves.set_aside = {{.file = "/plugins/x.so", .hash = {}, .reason = "it is empty"}};
  EXPECT_THAT(first().trouble, HasSubstr("set aside: 1"));
  shelves.set_aside = {{.file = "/plugins/p.so", .hash = {}, .reason = "it is empty"}};
  EXPECT_EQ(first().trouble, "/plugins/p.so is set aside: it is empty");
}

TEST_F(PlanTest, GivesEachLambdaAStateDirectoryOfItsOwn) {
  serve(CAPE_KIND_LAMBDA, 0);

  const child::ChildSpec spec = spec_of(config, lambdas_of(config)[1], shelves.serving[0]);
  EXPECT_EQ(spec.state_dir, "/var/cape/state/t/two");
  EXPECT_EQ(spec.config_dir, "/etc/cape");
  EXPECT_EQ(spec.domain, "d");
}

TEST_F(PlanTest, MarksTheChildrenOfAShadowAndEndsThemWhenTheyAreIdle) {
  serve(CAPE_KIND_LAMBDA, 0);
  config = with_shadows(config);

  const child::ChildSpec live = spec_of(config, lambdas_of(config)[2], shelves.serving[0]);
  const child::ChildSpec shadow = spec_of(config, lambdas_of(config)[5], shelves.serving[0]);

  EXPECT_FALSE(live.replay);
  EXPECT_EQ(plan_of(config).lambdas[2].idle_max_ns, 0);
  EXPECT_TRUE(shadow.replay);
  EXPECT_EQ(shadow.topology, "u@replay");
  EXPECT_EQ(shadow.domain, "d") << "what its events are of";
  EXPECT_EQ(shadow.state_dir, "/var/cape/state/u@replay/one");
  EXPECT_GT(plan_of(config).lambdas[5].idle_max_ns, 0);
}

TEST_F(PlanTest, TellsTheChildTheTimeoutsItIsHeldTo) {
  serve(CAPE_KIND_LAMBDA, 0);
  lambda().timeout_ms = 100;
  lambda().timeout_max_ms = 2000;

  const child::ChildSpec spec = spec_of(config, lambdas_of(config)[0], shelves.serving[0]);
  EXPECT_EQ(spec.timeout_ns, plan_of(config).lambdas[0].timeout_ns);
  EXPECT_EQ(spec.timeout_max_ns, plan_of(config).lambdas[0].timeout_max_ns);
}

TEST_F(PlanTest, LooksOftenEnoughForTheShortestTimeout) {
  EXPECT_EQ(look_interval_ns(plan_of(config)), 250 * ns_per_ms);
  lambda().timeout_ms = 100;
  EXPECT_EQ(look_interval_ns(plan_of(config)), 25 * ns_per_ms);
  lambda().timeout_ms = 1;
  EXPECT_EQ(look_interval_ns(plan_of(config)), 5 * ns_per_ms);
}

class CanaryPlan : public PlanTest {
 protected:
  CanaryPlan() {
    lambda().canary = CanaryPolicy{};
    shelves.serving = {image_of("new")};
    shelves.named = {image_of("old"), image_of("new")};
    shelves.settled = true;
  }
  static child::PluginImagePtr image_of(const std::string& hash) {
    auto image = std::make_shared<child::PluginImage>();
    image->id = "p";
    image->hash = hash;
    image->kinds = CAPE_KIND_LAMBDA;
    return image;
  }
  PluginServes serves(std::size_t place, const wire::ServedVersion* said) {
    return serving_of(0, lambdas_of(config)[place], shelves, said);
  }
};

TEST_F(CanaryPlan, TwinsLieBehindAllLambdas) {
  const std::vector<LambdaPlace> places = lambdas_of(config);

  ASSERT_EQ(places.size(), 4u);
  EXPECT_EQ(places[3].name(), "t/one (twin)");
  EXPECT_TRUE(places[3].twin);
  EXPECT_TRUE(names_of(places, config)[3].twin);
  EXPECT_FALSE(names_of(places, config)[0].twin);
  EXPECT_FALSE(places[1].by_broker);
}

TEST_F(CanaryPlan, BrokerSaysWhichVersionServes) {
  const wire::ServedVersion old{.hash = "old"}, none{};

  EXPECT_EQ(serves(0, &old).hash, "old");
  EXPECT_EQ(serves(3, &none).hash, "");
  EXPECT_EQ(serves(3, &none).trouble, "") << "a twin without a candidate is no trouble";
  EXPECT_EQ(serves(1, nullptr).hash, "new") << "a lambda without a canary takes the newest";
}

TEST_F(CanaryPlan, NothingRunsBeforeTheBrokerHasSaidWhat) {
  EXPECT_EQ(serves(0, nullptr).hash, "");
  EXPECT_THAT(serves(0, nullptr).trouble, HasSubstr("has not said"));
}

TEST_F(CanaryPlan, VersionThatIsNotHereIsTold) {
  const wire::ServedVersion other{.hash = "0123456789"};

  EXPECT_EQ(serves(0, &other).hash, "");
  EXPECT_THAT(serves(0, &other).trouble, HasSubstr("01234567"));
}

TEST_F(CanaryPlan, NothingServesWhenTheLastFileOfWhatServesIsGone) {
  const wire::ServedVersion old{.hash = "old"};
  shelves.named = {image_of("old")};
  note_newest(shelves, {image_of("old")});
  shelves.serving.clear();

  EXPECT_TRUE(is_withdrawn(shelves, "p"));
  EXPECT_EQ(serves(0, &old).hash, "");
  EXPECT_THAT(serves(0, &old).trouble, HasSubstr("no plugin 'p'"));
}

TEST_F(CanaryPlan, WhatTheBrokerSaysServesOnWhenTheFileThatStoodOverItsOwnIsGone) {
  const wire::ServedVersion old{.hash = "old"}, none{};
  note_newest(shelves, shelves.serving);
  shelves.serving.clear();

  EXPECT_FALSE(is_withdrawn(shelves, "p"));
  EXPECT_EQ(serves(0, &old).hash, "old");
  EXPECT_EQ(serves(3, &none).trouble, "");
  EXPECT_THAT(serves(1, nullptr).trouble, HasSubstr("no plugin 'p'")) << "a lambda without a canary";
  shelves.pin_troubles["p"] = "plugin 'p' is pinned to version 9";
  EXPECT_EQ(serves(0, &old).hash, "") << "a pin wins";
}

TEST_F(CanaryPlan, FileIsToldAsWhatItsLambdasRun) {
  config.topologies[0].lambdas.pop_back();  // which has no canary
  const std::vector<LambdaPlace> places = lambdas_of(config);
  using State = child::FileVerdict::State;
  const auto told = [&](const std::map<LambdaIndex, wire::ServedVersion>& said) {
    std::vector<child::FileVerdict> files = {{.file = "p.so", .image = image_of("new")}};
    std::vector<PluginServes> serves;
    for (LambdaIndex i = 0; i < places.size(); ++i) {
      const auto at = said.find(i);
      serves.push_back(serving_of(i, places[i], shelves, at == said.end() ? nullptr : &at->second));
    }
    correct(files, places, said, serves);
    return files[0].state;
  };

  EXPECT_EQ(told({}), State::serves) << "nothing is said yet";
  EXPECT_EQ(told({{0, {.hash = "old"}}, {2, {}}}), State::stands_by);
  EXPECT_EQ(told({{0, {.hash = "old"}}, {2, {.hash = "new"}}}), State::serves) << "a part of the subjects";
  EXPECT_EQ(told({{0, {.hash = "lost"}}, {2, {}}}), State::stands_by) << "not even when that is not here";
  EXPECT_EQ(told({{0, {.newest = true}}, {2, {.newest = true}}}), State::serves);
}

TEST_F(CanaryPlan, NewestServesWhereTheBrokerKnowsNoCanary) {
  const wire::ServedVersion newest{.newest = true};

  EXPECT_EQ(serves(0, &newest).hash, "new");
}

TEST_F(CanaryPlan, ReplayRunsWhatTheBrokerSaysToo) {
  config = with_shadows(config);
  const std::vector<LambdaPlace> places = lambdas_of(config);

  ASSERT_EQ(places.size(), 7u);
  EXPECT_EQ(places[3].name(), "t@replay/one");
  EXPECT_TRUE(places[3].by_broker);
  EXPECT_FALSE(places[3].twin);
  EXPECT_TRUE(places[6].twin);
}

}  // namespace
}  // namespace cape::host
