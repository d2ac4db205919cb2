// What both transports promise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/wire/samples.hpp"
#include "tests/wire/transport_ends.hpp"

namespace cape::wire {
namespace {

using test::Ends;
using test::eventually;
using test::is_readable;
using test::wait_for;
using test::Way;

class Transport : public testing::TestWithParam<Way> {};

TEST_P(Transport, MessagesArriveOnceInOrder) {
  Ends ends(GetParam());
  for (JobId job = 1; job <= 3; ++job) {
    ASSERT_TRUE(ends.broker->send(ends.peer, CancelJob{1, job}));
    ASSERT_TRUE(ends.host->send(HostGoodbye{job}));
  }

  for (JobId job = 1; job <= 3; ++job) {
    EXPECT_EQ(std::get<CancelJob>(wait_for(*ends.host).value()).job, job);
    const auto from = wait_for(*ends.broker);
    ASSERT_TRUE(from);
    EXPECT_EQ(from->peer, ends.peer);
    EXPECT_EQ(std::get<HostGoodbye>(from->message).session, job);
  }
  EXPECT_FALSE(ends.host->receive());
  EXPECT_FALSE(ends.broker->receive());
}

TEST_P(Transport, JobArrivesWithItsEvents) {
  Ends ends(GetParam());

  ASSERT_TRUE(ends.broker->send(ends.peer, RunJobs{7, {test::run_job(3, 300)}}));

  const auto jobs = std::get<RunJobs>(wait_for(*ends.host).value());
  EXPECT_EQ(jobs.session, 7u);
  ASSERT_EQ(jobs.jobs.size(), 1u);
  EXPECT_EQ(jobs.jobs[0].events.count, 3u);
  EXPECT_EQ(jobs.jobs[0].events.block->payload_of(jobs.jobs[0].events[2]), std::string(300, '\xFF'));
}

TEST_P(Transport, SendingToAPeerThatNeverWasIsUnavailable) {
  Ends ends(GetParam());

  EXPECT_EQ(ends.broker->send(ends.peer + 1, DrainHost{}).error().code, ErrorCode::unavailable);
}

TEST_P(Transport, FullQueueRefusesAndTakesAgainWhenRead) {
  Ends ends(GetParam(), 4);
  JobId sent = 0;
  const JobStatuses large{
      1, std::vector<JobStatus>(1000, {.job = 1, .end = {OutcomeKind::ok, std::string(1000, 'x')}})};
  while (sent < 1000 && ends.host->send(large)) ++sent;
  ASSERT_GE(sent, 4u);
  ASSERT_LT(sent, 1000u) << "1 GiB was taken: the queue has no limit";

  EXPECT_EQ(ends.host->send(large).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(ends.broker->send(ends.peer, DrainHost{})) << "the other direction has a limit of its own";
  ASSERT_TRUE(wait_for(*ends.broker));
  std::size_t got = 1;
  ASSERT_TRUE(eventually([&] {
    if (ends.host->send(HostGoodbye{5})) return true;
    got += ends.broker->receive() ? 1u : 0u;
    return false;
  }));

  for (std::optional<FromHost> from; (from = wait_for(*ends.broker));) {
    if (std::holds_alternative<HostGoodbye>(from->message)) break;
    ++got;
  }
  EXPECT_EQ(got, sent) << "what was refused is not sent later, what was taken is not lost";
}

TEST_P(Transport, DescriptorIsReadableWhileThereIsSomethingToReceive) {
  Ends ends(GetParam());
  ASSERT_TRUE(ends.broker->send(ends.peer, CancelJob{1, 1}));
  ASSERT_TRUE(ends.broker->send(ends.peer, CancelJob{1, 2}));
  ASSERT_TRUE(is_readable(ends.host->fd(), 20'000));

  ends.host->clear_wakeup();
  ASSERT_TRUE(wait_for(*ends.host));
  EXPECT_TRUE(is_readable(ends.host->fd())) << "a loop that stops early is called again";
  ASSERT_TRUE(wait_for(*ends.host));

  EXPECT_TRUE(eventually([&] {  // a wake-up for nothing is allowed, one after the other is not
    EXPECT_FALSE(ends.host->receive());
    return !is_readable(ends.host->fd(), 20);
  }));
}

// Sending makes the socket take in what its other side has sent; that must not put the descriptor down.
TEST_P(Transport, DescriptorStaysReadableThroughASend) {
  Ends ends(GetParam());
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(ends.broker->send(ends.peer, DrainHost{}));
    ASSERT_TRUE(is_readable(ends.host->fd(), 20'000));
    ASSERT_TRUE(ends.host->send(HostGoodbye{2}));
    ASSERT_TRUE(is_readable(ends.host->fd())) << round;
    ASSERT_TRUE(wait_for(*ends.host));
    EXPECT_FALSE(ends.host->receive());
    ASSERT_TRUE(wait_for(*ends.broker));
  }
}

TEST_P(Transport, SendingToAnEndThatIsGoneIsUnavailable) {
  Ends ends(GetParam());

  ends.broker.reset();

  EXPECT_TRUE(eventually([&] {
    const auto sent = ends.host->send(HostGoodbye{1});
    return !sent && sent.error().code == ErrorCode::unavailable;
  }));
}

// A window of messages runs back and forth; each side sleeps on its descriptor alone whenever it finds
// nothing, so a lost wake-up ends the test.
TEST_P(Transport, NoWakeUpIsLostBetweenTwoThreads) {
  constexpr JobId messages = 20'000, window = 8;
  constexpr int never_ms = 20'000;
  Ends ends(GetParam(), window);

  std::jthread host_thread([&] {
    for (JobId seen = 0; seen < messages;) {
      ASSERT_TRUE(is_readable(ends.host->fd(), never_ms)) << "after " << seen;
      while (const auto message = ends.host->receive()) {
        ASSERT_EQ(std::get<CancelJob>(*message).job, ++seen);
        ASSERT_TRUE(eventually([&] { return ends.host->send(HostGoodbye{seen}).has_value(); }));
      }
    }
  });
  for (JobId sent = 0, seen = 0; seen < messages;) {
    while (sent < messages && sent - seen < window && ends.broker->send(ends.peer, CancelJob{1, sent + 1}))
      ++sent;
    ASSERT_TRUE(is_readable(ends.broker->fd(), never_ms)) << "after " << seen;
    while (const auto message = ends.broker->receive()) {
      ASSERT_EQ(std::get<HostGoodbye>(message->message).session, ++seen);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Over, Transport, testing::Values(Way::in_process, Way::zmq),
                         [](const auto& way) { return way.param == Way::in_process ? "InProcess" : "Zmq"; });

}  // namespace
}  // namespace cape::wire
