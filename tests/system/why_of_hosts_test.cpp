// Causes of `cape why` that only hosts of their own bring about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/system/cluster.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* sleeping = R"(lease = "5s"
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.record = { plugin = "record", config = { sleep_us = 60000000, slow_subject = "first" }, grant = { state = true } }
)";

class WhyOfHosts : public testing::Test {
 protected:
  json why(const std::string& subject) {
    const auto told =
        json::parse(cluster_.site().cape({"--json", "why", "history", subject}).out, nullptr, false);
    if (told.is_discarded() || !told.contains("topologies")) return json::object();
    return told.at("topologies").at(0);
  }
  bool comes_to(const std::string& subject, const std::string& cause) {
    return Site::eventually(
        [&] {
          last_ = why(subject);
          return last_.value("cause", "") == cause;
        },
        seconds(20));
  }
  void start() {
    cluster_.add_host("a", {"record"});
    ASSERT_TRUE(cluster_.start_broker()) << cluster_.logs();
    ASSERT_TRUE(cluster_.start_host("a")) << cluster_.logs();
    ASSERT_EQ(cluster_.site().cape({"append", "history", "first"}).exit, 0);
    // It has begun, so a host that is stopped waits for its end.
    ASSERT_TRUE(Site::eventually([&] { return cluster_.count("record") == 1; }, seconds(20))) << cluster_.logs();
    ASSERT_TRUE(comes_to("first", "in_flight")) << last_ << cluster_.logs();
  }

  Cluster cluster_{sleeping};
  json last_;
};

// What runs may finish, for 10 s; what comes meanwhile waits for another host.
TEST_F(WhyOfHosts, AHostThatIsBeingStoppedIsNamed) {
  start();
  cluster_.host("a").signal(SIGTERM);
  ASSERT_EQ(cluster_.site().cape({"append", "history", "second"}).exit, 0);

  EXPECT_TRUE(comes_to("second", "host_draining")) << last_ << cluster_.logs();
  EXPECT_THAT(last_.value("reason", ""), HasSubstr("host a"));
}

// It may still run a job of the broker's last life.
TEST_F(WhyOfHosts, AHostOfTheBrokersLastLifeIsWaitedForByName) {
  start();
  cluster_.host("a").signal(SIGSTOP);
  cluster_.broker().signal(SIGKILL);
  cluster_.broker().wait(seconds(10));
  ASSERT_TRUE(cluster_.start_broker()) << cluster_.logs();

  EXPECT_TRUE(comes_to("first", "waiting_leases")) << last_ << cluster_.logs();
  EXPECT_THAT(last_.value("reason", ""), HasSubstr("a"));
  cluster_.host("a").signal(SIGCONT);
  EXPECT_TRUE(comes_to("first", "in_flight")) << last_ << cluster_.logs();
}

}  // namespace
}  // namespace cape::test
