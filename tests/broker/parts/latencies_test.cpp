#include "broker/latencies.hpp"

#include <gtest/gtest.h>

#include "core/clock.hpp"
#include "tests/broker/scheduler/world.hpp"

namespace cape::broker {
namespace {

class LatenciesTest : public testing::Test {
 protected:
  static scheduler::SchedulerPlan two_topologies() {
    scheduler::SchedulerPlan plan;
    scheduler::add_topology(plan, "audit", {"write", "index"});
    scheduler::add_topology(plan, "mail", {"send"});
    return plan;
  }
  void issue(JobId job, LambdaIndex lambda, scheduler::HostId host = 1) {
    scheduler::IssueJob issued;
    issued.host = host;
    issued.job = job;
    issued.lambda = lambda;
    issued.ping_ns = 1'000'000;
    latencies.on_issue(issued);
  }
  void end(JobId job, std::uint32_t events, scheduler::HostId host = 1) {
    latencies.on_status({.host = host,
                         .status = {.job = job,
                                    .events_done = events,
                                    .end = {},
                                    .first_start_ns = 2'000'000,
                                    .end_ns = 3'000'000}});
  }

  const scheduler::SchedulerPlan plan_ = two_topologies();
  Latencies latencies{plan_};
};

TEST_F(LatenciesTest, CountsWhatEachTopologyDoes) {
  issue(1, 1);
  issue(2, 2);
  end(1, 5);

  EXPECT_EQ(latencies.of(0).events_done, 5u);
  EXPECT_EQ(latencies.of(0).jobs_done, 1u);
  EXPECT_EQ(latencies.of(0).jobs_in_flight, 0u);
  EXPECT_NEAR(latencies.of(0).ping_to_start.quantile_us(0.5), 1000, 35);
  EXPECT_EQ(latencies.of(1).events_done, 0u);
  EXPECT_EQ(latencies.of(1).jobs_in_flight, 1u);
  EXPECT_EQ(latencies.of(1).ping_to_start.count(), 0u);
}

TEST_F(LatenciesTest, CountsNoStatusTwiceNorOfAnotherHost) {
  issue(1, 0);
  end(1, 5, /*host=*/2);
  EXPECT_EQ(latencies.of(0).events_done, 0u);

  end(1, 5);
  end(1, 5);

  EXPECT_EQ(latencies.of(0).events_done, 5u);
  EXPECT_EQ(latencies.of(0).jobs_in_flight, 0u);
}

TEST_F(LatenciesTest, JobsOfAHostThatIsGoneAreNotInFlight) {
  issue(1, 0, 1);
  issue(2, 0, 2);

  latencies.on_host_gone(1);
  latencies.on_host_gone(1);

  EXPECT_EQ(latencies.of(0).jobs_in_flight, 1u);
}

TEST_F(LatenciesTest, RatesAreThoseSinceTheLastSecond) {
  issue(1, 0);
  end(1, 9);
  latencies.on_second(10 * ns_per_s);  // nothing to compare with yet
  EXPECT_EQ(latencies.of(0).events_per_s, 0);

  issue(2, 0);
  end(2, 3);
  latencies.on_second(12 * ns_per_s);
  EXPECT_DOUBLE_EQ(latencies.of(0).events_per_s, 1.5);
  EXPECT_DOUBLE_EQ(latencies.of(0).jobs_per_s, 0.5);

  latencies.on_second(13 * ns_per_s);
  EXPECT_EQ(latencies.of(0).events_per_s, 0);
}

}  // namespace
}  // namespace cape::broker
