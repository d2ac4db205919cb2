// Which version of a plugin hosts are told to run, and what credit for another one is worth.
#include "tests/broker/hosts_fixture.hpp"

namespace cape::broker {
namespace {

using testing::HasSubstr;

constexpr LambdaIndex first = 0, second = 1, twin = 2;

class HostVersions : public HostsTest {
 protected:
  HostVersions() {
    plan.lambdas.push_back(plan.lambdas[first]);
    plan.lambdas[first].twin = twin;
    plan.lambdas[twin].twin = first;
    plan.lambdas[twin].is_twin = true;
  }
  // Its config has the lambdas in another order.
  static wire::HostHello hello() {
    wire::HostHello hello = hello_of("a", 7);
    hello.lambdas = {{"d", "t", "second", "q"}, {"d", "t", "first", "p", true}, {"d", "t", "first", "p"}};
    hello.offers = {{.id = "p", .hash = "old"}, {.id = "p", .hash = "new"}, {.id = "q", .hash = "qq"}};
    return hello;
  }
  std::vector<Input> told(std::map<LambdaIndex, std::string> versions) {
    std::vector<Input> inputs;
    hosts->set_versions(std::move(versions), inputs);
    return inputs;
  }
  std::vector<Input> bring_up() {
    say(1, hello());
    return commit();
  }
};

TEST_F(HostVersions, AreToldBeforeTheFirstJobInTheHostsOwnNumbers) {
  told({{first, "old"}, {twin, "new"}});
  bring_up();

  ASSERT_EQ(end.all<wire::ServeVersions>(1).size(), 1u);
  EXPECT_TRUE(std::holds_alternative<wire::BrokerWelcome>(end.sent.back().second)) << "last";
  const wire::ServeVersions message = end.all<wire::ServeVersions>(1)[0];
  EXPECT_EQ(message.session, 7u);
  ASSERT_EQ(message.versions.size(), 2u);
  EXPECT_EQ(message.versions[0].lambda, 1u) << "its place of the twin";
  EXPECT_EQ(message.versions[0].hash, "new");
  EXPECT_EQ(message.versions[1].lambda, 2u);
  EXPECT_EQ(message.versions[1].hash, "old");
}

TEST_F(HostVersions, ChangeIsToldAtOnceAndAgainIfItCouldNotBeSent) {
  told({{first, "old"}, {twin, ""}});
  bring_up();
  end.sent.clear();
  end.full = true;
  told({{first, "old"}, {twin, "new"}});
  EXPECT_TRUE(end.all<wire::ServeVersions>(1).empty());

  end.full = false;
  say(1, wire::HostHeartbeat{7, now_ns, {}});
  ASSERT_EQ(end.all<wire::ServeVersions>(1).size(), 1u);
  say(1, wire::HostHeartbeat{7, now_ns, {}});
  EXPECT_EQ(end.all<wire::ServeVersions>(1).size(), 1u) << "once";
}

TEST_F(HostVersions, SessionIsNotUpBeforeItCouldBeTold) {
  told({{first, "old"}});
  say(1, hello());
  end.full = true;

  EXPECT_FALSE(is_up(commit()));
}

TEST_F(HostVersions, CreditForAnotherVersionIsNone) {
  told({{first, "old"}, {twin, "new"}});
  bring_up();
  auto credits = only<scheduler::Credit>(say(1, wire::HostCredit{7, 2, 64, "new", ""}));
  ASSERT_EQ(credits.size(), 1u);
  EXPECT_EQ(credits[0].lambda, first);
  EXPECT_EQ(credits[0].jobs_max, 0u);
  EXPECT_THAT(credits[0].trouble, HasSubstr("another version"));

  credits = only<scheduler::Credit>(say(1, wire::HostCredit{7, 1, 64, "new", ""}));
  ASSERT_EQ(credits.size(), 1u);
  EXPECT_EQ(credits[0].lambda, twin);
  EXPECT_EQ(credits[0].jobs_max, 64u);
  EXPECT_EQ(credits[0].hash, "new");
}

TEST_F(HostVersions, ChangeTakesCreditForTheOldVersionAwayAtOnce) {
  told({{first, "old"}, {twin, "new"}});
  bring_up();
  say(1, wire::HostCredit{7, 1, 64, "new", ""});

  const auto credits = only<scheduler::Credit>(told({{first, "old"}, {twin, ""}}));
  ASSERT_EQ(credits.size(), 1u);
  EXPECT_EQ(credits[0].lambda, twin);
  EXPECT_EQ(credits[0].jobs_max, 0u);
}

TEST_F(HostVersions, HostWithoutCanariesIsToldNothing) {
  told({});
  say(1, hello_of("a", 7));
  commit();

  EXPECT_TRUE(end.all<wire::ServeVersions>(1).empty());
}

TEST_F(HostVersions, HostThatAloneHasACanaryIsToldToChooseItself) {
  plan.lambdas.pop_back();
  plan.lambdas[first].twin.reset();
  told({});
  bring_up();

  const auto messages = end.all<wire::ServeVersions>(1);
  ASSERT_EQ(messages.size(), 1u);
  for (const wire::ServedVersion& version : messages[0].versions) EXPECT_TRUE(version.newest);
  EXPECT_EQ(messages[0].versions.size(), 3u);
}

TEST_F(HostVersions, OffersNumberRisesWithWhatHostsSay) {
  bring_up();
  const std::uint64_t before = hosts->offers_number();
  say(1, wire::HostOffers{7, {}});
  const std::uint64_t offered = hosts->offers_number();
  say(1, wire::HostReport{.session = 7});

  EXPECT_GT(offered, before);
  EXPECT_GT(hosts->offers_number(), offered);
}

}  // namespace
}  // namespace cape::broker
