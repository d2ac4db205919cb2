#include "host/worker/session.hpp"

#include <gtest/gtest.h>

#include "core/clock.hpp"

namespace cape::host {
namespace {

constexpr std::int64_t lease_ns = 9 * ns_per_s;
constexpr std::int64_t begin_ns = 100 * ns_per_s;

class SessionTest : public ::testing::Test {
 protected:
  void begin() {
    session.begin(begin_ns, {});
    session.flush();
    hello = std::get<wire::HostHello>(pair.broker->receive().value().message);
  }
  wire::InProcessPair pair = wire::make_in_process_transport(4);
  Session session{*pair.host, {.host = "h", .lease_ns = lease_ns}};
  wire::HostHello hello;
};

TEST_F(SessionTest, BeatsThreeTimesALease) {
  begin();

  EXPECT_EQ(session.heartbeat_due_ns(), begin_ns + 3 * ns_per_s);
  session.heartbeat(begin_ns + 3 * ns_per_s, {});
  EXPECT_EQ(session.heartbeat_due_ns(), begin_ns + 6 * ns_per_s);
}

TEST_F(SessionTest, BeatsInATurnThatReportsStatusesToo) {
  begin();

  session.report_statuses({{.job = 1}});
  session.heartbeat(begin_ns + 3 * ns_per_s, {});
  session.flush();

  EXPECT_TRUE(std::holds_alternative<wire::JobStatuses>(pair.broker->receive().value().message));
  const auto beat = pair.broker->receive();
  ASSERT_TRUE(beat.has_value());
  EXPECT_TRUE(std::holds_alternative<wire::HostHeartbeat>(beat->message));
}

TEST_F(SessionTest, CountsTheLeaseFromWhenTheHelloWasSent) {
  begin();

  EXPECT_EQ(session.take(wire::BrokerWelcome{.session = hello.session}), begin_ns + lease_ns);
  EXPECT_EQ(session.take(wire::BrokerWelcome{.session = hello.session, .lease_ms = 3'000}),
            begin_ns + 3 * ns_per_s);
  EXPECT_EQ(session.heartbeat_due_ns(), begin_ns + ns_per_s);
}

TEST_F(SessionTest, RenewsTheLeaseOnlyByAnswersToItsOwnHeartbeats) {
  begin();
  session.heartbeat(begin_ns + ns_per_s, {});

  using Answer = wire::HeartbeatAnswer;
  EXPECT_EQ(session.take(Answer{.session = hello.session, .sent_ns = begin_ns + ns_per_s}),
            begin_ns + 10 * ns_per_s);
  EXPECT_EQ(session.take(Answer{.session = hello.session + 1, .sent_ns = begin_ns + ns_per_s}), std::nullopt);
  EXPECT_EQ(session.take(Answer{.session = hello.session, .sent_ns = begin_ns + 2 * ns_per_s}), std::nullopt);
  EXPECT_EQ(session.take(Answer{.session = hello.session, .sent_ns = 0}), std::nullopt);
}

TEST_F(SessionTest, EndsWhenTheBrokerDoesNotKnowItAndNotForAnOlderOne) {
  begin();

  EXPECT_FALSE(session.take(wire::HelloPlease{hello.session + 1}));
  EXPECT_TRUE(session.take(wire::HelloPlease{hello.session}));
  EXPECT_TRUE(session.take(wire::HelloPlease{wire::every_session}));
  session.close();
  EXPECT_FALSE(session.take(wire::HelloPlease{hello.session}));
}

TEST_F(SessionTest, BeatsAtOnceOverANewConnectionSoThatTheBrokerSaysWhetherItKnowsIt) {
  begin();

  EXPECT_FALSE(session.take(wire::HelloPlease{0}));

  EXPECT_LE(session.heartbeat_due_ns().value(), begin_ns);
  session.heartbeat(begin_ns + 1, {});
  EXPECT_EQ(session.heartbeat_due_ns(), begin_ns + 1 + 3 * ns_per_s);
}

TEST_F(SessionTest, TakesJobsOfItsOwnSessionAlone) {
  begin();

  EXPECT_TRUE(session.is_current(hello.session));
  EXPECT_FALSE(session.is_current(hello.session + 1));
  EXPECT_FALSE(session.is_current(0));
}

TEST_F(SessionTest, KeepsTheNewestCreditAndOffersAloneWhileNothingCanBeSent) {
  begin();
  while (pair.host->send(wire::HostGoodbye{})) {
  }
  for (std::uint32_t round = 1; round <= 1000; ++round) {
    session.credit({.session = 0, .lambda = 0, .jobs_max = round});
    session.credit({.session = 0, .lambda = 1, .jobs_max = round});
    session.offer({{.id = std::to_string(round)}});
    session.flush();
  }
  while (pair.broker->receive()) {
  }
  session.flush();

  EXPECT_FALSE(session.has_unsent());
  std::vector<std::uint32_t> credits;
  std::vector<std::string> offers;
  while (const auto from = pair.broker->receive()) {
    if (const auto* credit = std::get_if<wire::HostCredit>(&from->message))
      credits.push_back(credit->jobs_max);
    if (const auto* offer = std::get_if<wire::HostOffers>(&from->message))
      offers.push_back(offer->offers[0].id);
  }
  EXPECT_EQ(credits, (std::vector<std::uint32_t>{1000, 1000}));
  EXPECT_EQ(offers, std::vector<std::string>{"1000"});
}

TEST_F(SessionTest, HasAnotherIdEachTime) {
  begin();
  const SessionId first = hello.session;
  session.close();
  begin();

  EXPECT_NE(first, 0u);
  EXPECT_NE(hello.session, first);
}

TEST_F(SessionTest, KeepsWhatTheBrokerCannotTakeInOrderAndLeavesHeartbeatsOut) {
  begin();
  for (LambdaIndex lambda = 0; lambda < 6; ++lambda) session.credit({.session = 0, .lambda = lambda});
  session.flush();
  EXPECT_TRUE(session.has_unsent());
  session.heartbeat(begin_ns + ns_per_s, {});

  std::vector<LambdaIndex> got;
  for (int round = 0; round < 2; ++round) {
    while (std::optional<wire::FromHost> from = pair.broker->receive()) {
      const auto& credit = std::get<wire::HostCredit>(from->message);
      EXPECT_EQ(credit.session, hello.session);
      got.push_back(credit.lambda);
    }
    session.flush();
  }
  EXPECT_EQ(got, (std::vector<LambdaIndex>{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(session.has_unsent());
}

TEST_F(SessionTest, CutsStatusesIntoMessagesOfTheStatedSize) {
  begin();
  session.report_statuses(std::vector<wire::JobStatus>(wire::statuses_per_message_max + 1));
  session.flush();

  EXPECT_EQ(std::get<wire::JobStatuses>(pair.broker->receive().value().message).statuses.size(),
            wire::statuses_per_message_max);
  EXPECT_EQ(std::get<wire::JobStatuses>(pair.broker->receive().value().message).statuses.size(), 1u);
}

TEST_F(SessionTest, SendsNothingWithoutASession) {
  session.goodbye();
  session.credit({});
  session.flush();

  EXPECT_FALSE(pair.broker->receive().has_value());
  EXPECT_EQ(session.heartbeat_due_ns(), std::nullopt);
}

}  // namespace
}  // namespace cape::host
