#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "wire/transport.hpp"

namespace cape::wire {
namespace {

using testing::HasSubstr;

bool is_readable(int fd, int timeout_ms = 0) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, timeout_ms) == 1;
}

TEST(InProcessTransport, MessagesArriveOnceInOrder) {
  auto [broker, host] = make_in_process_transport();
  for (JobId job = 1; job <= 3; ++job) ASSERT_TRUE(broker->send(1, CancelJob{1, job}));

  for (JobId job = 1; job <= 3; ++job) EXPECT_EQ(std::get<CancelJob>(host->receive().value()).job, job);
  EXPECT_FALSE(host->receive());
}

TEST(InProcessTransport, BrokerSeesItsOnlyHostAsPeerOne) {
  auto [broker, host] = make_in_process_transport();
  ASSERT_TRUE(host->send(HostGoodbye{9}));

  const auto message = broker->receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->peer, 1u);
  EXPECT_EQ(std::get<HostGoodbye>(message->message).session, 9u);
  EXPECT_EQ(broker->send(2, DrainHost{}).error().code, ErrorCode::unavailable);
  EXPECT_FALSE(host->receive());
}

TEST(InProcessTransport, FullQueueRefusesAndTakesAgainWhenRead) {
  auto [broker, host] = make_in_process_transport(2);
  ASSERT_TRUE(host->send(HostGoodbye{1}));
  ASSERT_TRUE(host->send(HostGoodbye{2}));

  const auto refused = host->send(HostGoodbye{3});

  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("holds 2 messages"));
  EXPECT_TRUE(broker->send(1, DrainHost{})) << "the other direction has a limit of its own";
  EXPECT_EQ(std::get<HostGoodbye>(broker->receive()->message).session, 1u);
  EXPECT_TRUE(host->send(HostGoodbye{4}));
  EXPECT_EQ(std::get<HostGoodbye>(broker->receive()->message).session, 2u);
  EXPECT_EQ(std::get<HostGoodbye>(broker->receive()->message).session, 4u)
      << "what was refused is not sent later";
}

TEST(InProcessTransport, DescriptorIsReadableExactlyWhileThereIsSomethingToReceive) {
  auto [broker, host] = make_in_process_transport();
  EXPECT_FALSE(is_readable(host->fd()));

  ASSERT_TRUE(broker->send(1, CancelJob{1, 1}));
  ASSERT_TRUE(broker->send(1, CancelJob{1, 2}));
  EXPECT_TRUE(is_readable(host->fd()));
  EXPECT_FALSE(is_readable(broker->fd()));

  host->clear_wakeup();
  ASSERT_TRUE(host->receive());
  EXPECT_TRUE(is_readable(host->fd())) << "a loop that stops early is called again";
  ASSERT_TRUE(host->receive());
  EXPECT_FALSE(host->receive());
  EXPECT_FALSE(is_readable(host->fd()));
}

TEST(InProcessTransport, SendingToAnEndThatIsGoneIsUnavailable) {
  auto [broker, host] = make_in_process_transport();
  ASSERT_TRUE(broker->send(1, DrainHost{}));

  broker.reset();

  EXPECT_EQ(host->send(HostGoodbye{1}).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(host->receive()) << "what was sent before is still there";
}

// A window of messages runs back and forth; each side sleeps on its descriptor alone whenever it finds
// nothing, so a lost wake-up ends the test.
TEST(InProcessTransport, NoWakeUpIsLostBetweenTwoThreads) {
  constexpr JobId messages = 50'000, window = 8;
  constexpr int never_ms = 20'000;
  auto [broker, host] = make_in_process_transport(window);

  std::jthread host_thread([&host] {
    for (JobId seen = 0; seen < messages;) {
      ASSERT_TRUE(is_readable(host->fd(), never_ms)) << "after " << seen;
      while (const auto message = host->receive()) {
        ASSERT_EQ(std::get<CancelJob>(*message).job, ++seen);
        ASSERT_TRUE(host->send(HostGoodbye{seen}));
      }
    }
  });
  for (JobId sent = 0, seen = 0; seen < messages;) {
    while (sent < messages && sent - seen < window) ASSERT_TRUE(broker->send(1, CancelJob{1, ++sent}));
    ASSERT_TRUE(is_readable(broker->fd(), never_ms)) << "after " << seen;
    while (const auto message = broker->receive()) {
      ASSERT_EQ(std::get<HostGoodbye>(message->message).session, ++seen);
    }
  }
}

}  // namespace
}  // namespace cape::wire
