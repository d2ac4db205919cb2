// `cape broker` and `cape host` as processes of their own: hosts that fall silent, die, come and go. The
// leases are short so that a lost host is found quickly; what is asserted are the bounds that a lease
// promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include <fmt/format.h>

#include "tests/system/cluster.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;

constexpr std::int64_t s_ns = 1'000'000'000;
constexpr std::int64_t kill_ns = 2 * s_ns;  // how long after its lease a host's children may take to die

std::string recording(const std::string& lease, const std::string& more = "sleep_us = 50") {
  return fmt::format(R"(lease = "{}"
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = {{ first = "10ms" }}
[topology.seen.lambda.record]
plugin = "record"
config = {{ times = true, {} }}
grant  = {{ state = true }}
)",
                     lease, more);
}

constexpr const char* hangs_on_stuck = R"(sleep_us = 600000000, slow_subject = "stuck")";

class Hosts : public testing::Test {
 protected:
  void append(Cluster& cluster, const std::string& subject) {
    ASSERT_EQ(cluster.site().cape({"append", "history", subject}).exit, 0);
  }
  // An event that hangs on host a and would not on b, running on a, with both hosts there.
  void hang_on_a(Cluster& cluster, const std::string& lease) {
    cluster.add_host("a", {"record"}, recording(lease, hangs_on_stuck));
    cluster.add_host("b", {"record"});
    ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
    ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();
    append(cluster, "stuck");
    ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 1; }, seconds(20)))
        << cluster.logs();
    ASSERT_TRUE(cluster.start_host("b")) << cluster.logs();
  }
  static std::vector<Recorded> on(Cluster& cluster, const std::string& host) {
    return recorded(cluster.state(host, "record") / "record.log");
  }
};

TEST_F(Hosts, TwoOfThemShareAHistoryAndKeepItsOrder) {
  Cluster cluster(recording("10s"));
  cluster.add_host("a", {"record"});
  cluster.add_host("b", {"record"});
  ASSERT_EQ(cluster.site().cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(6000)).exit,
            0);
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a") && cluster.start_host("b")) << cluster.logs();

  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") >= 6000; }, seconds(60)))
      << cluster.logs();

  OrderChecker checker = history_checker(6000);
  check(checker, cluster.all_recorded("record"));
  checker.finish();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
  EXPECT_EQ(checker.repeats(), 0u);
  EXPECT_GT(on(cluster, "a").size(), 100u);
  EXPECT_GT(on(cluster, "b").size(), 100u);
}

TEST_F(Hosts, OnlyOneThatOffersThePluginGetsJobs) {
  Cluster cluster(recording("10s"));
  cluster.add_host("a", {});
  cluster.add_host("b", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();
  append(cluster, "early");
  ASSERT_TRUE(cluster.start_host("b")) << cluster.logs();

  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 1; }, seconds(20))) << cluster.logs();
  for (int i = 0; i < 20; ++i) append(cluster, "s" + std::to_string(i));
  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 21; }, seconds(20))) << cluster.logs();

  EXPECT_TRUE(on(cluster, "a").empty());
}

TEST_F(Hosts, OneWhoseConfigHasOtherLambdasRunsThoseItShares) {
  Cluster cluster(recording("10s"));
  const std::string another = R"(lease = "10s"
[domain.history]
source = "journal"
[topology.elsewhere]
domain = "history"
[topology.elsewhere.lambda.write]
plugin = "audit_log"
grant  = { state = true }
)";
  cluster.add_host("a", {"record"}, another + recording("10s").substr(recording("10s").find("[topology")));
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();

  append(cluster, "one");

  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 1; }, seconds(20))) << cluster.logs();
  EXPECT_THAT(cluster.broker().log(), testing::HasSubstr("elsewhere.write"));
}

TEST_F(Hosts, StoppedOneLosesItsChildrenWithItsLeaseAndItsJobsAfterThatAlone) {
  Cluster cluster(recording("2s"));
  hang_on_a(cluster, "2s");
  const std::vector<pid_t> children = cluster.children("a");
  ASSERT_FALSE(children.empty());

  const std::int64_t stopped_ns = steady_ns();
  cluster.host("a").signal(SIGSTOP);
  ASSERT_TRUE(Site::eventually([&] { return std::ranges::none_of(children, runs); }, seconds(20)))
      << "its children outlive it";
  const std::int64_t dead_ns = steady_ns();
  ASSERT_TRUE(Site::eventually([&] { return on(cluster, "b").size() == 1; }, seconds(30))) << cluster.logs();

  EXPECT_LE(dead_ns - stopped_ns, 2 * s_ns + kill_ns);
  const std::int64_t taken_over_ns = on(cluster, "b")[0].time_ns;
  EXPECT_GT(taken_over_ns, dead_ns) << "two children had the event at once";
  // Its last heartbeat was at most a third of a lease before it was stopped.
  EXPECT_GE(taken_over_ns - stopped_ns, 2 * s_ns * 2 / 3 + kill_ns - s_ns / 10);

  cluster.host("a").signal(SIGCONT);
  ASSERT_TRUE(Site::eventually([&] { return cluster.status("hosts") == 2; }, seconds(20))) << cluster.logs();
  append(cluster, "after");
  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 3; }, seconds(20))) << cluster.logs();
  EXPECT_EQ(on(cluster, "a").size() + on(cluster, "b").size(), 3u) << "nothing of the old session ran again";
  const Finished subject = cluster.site().cape({"subject", "history", "stuck", "--json"});
  EXPECT_THAT(subject.out, testing::HasSubstr("\"cursor\":1")) << subject.out;
}

TEST_F(Hosts, KilledOneIsReplacedByAnotherAfterItsLease) {
  Cluster cluster(recording("2s"));
  hang_on_a(cluster, "2s");

  const std::int64_t killed_ns = steady_ns();
  cluster.host("a").end(SIGKILL);
  ASSERT_TRUE(Site::eventually([&] { return on(cluster, "b").size() == 1; }, seconds(30))) << cluster.logs();

  const std::int64_t took_ns = on(cluster, "b")[0].time_ns - killed_ns;
  EXPECT_GE(took_ns, 2 * s_ns * 2 / 3 + kill_ns - s_ns / 10)
      << "nobody could know that its children are dead";
  EXPECT_LE(took_ns, 2 * s_ns + kill_ns + 5 * s_ns)
      << "a lease, the time to kill, and what a loaded machine adds";
}

TEST_F(Hosts, KilledOneThatIsStartedAgainTakesUpItsJobsAtOnce) {
  Cluster cluster(recording("30s", hangs_on_stuck));
  cluster.add_host("a", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();
  append(cluster, "stuck");
  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") == 1; }, seconds(20))) << cluster.logs();

  cluster.host("a").end(SIGKILL);
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();

  EXPECT_TRUE(Site::eventually([&] { return cluster.count("record") == 2; }, seconds(15)))
      << "it waits for the lease of the dead one\n"
      << cluster.logs();
}

TEST_F(Hosts, SecondOneInTheSameDirectoryIsRefused) {
  Cluster cluster(recording("10s"));
  cluster.add_host("a", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();

  Daemon second(cluster.site().dir() / "a", "second");
  second.start({"host", "--name", "other"});

  EXPECT_EQ(second.wait(seconds(20)), 1);
  EXPECT_THAT(second.log(), testing::HasSubstr("choose another data_dir"));
}

TEST_F(Hosts, StoppedBrokerMakesThemEndTheirJobsAndAllGoesOnAfterwards) {
  Cluster cluster(recording("1s"));
  cluster.add_host("a", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("a")) << cluster.logs();
  ASSERT_EQ(cluster.site().cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(3000)).exit,
            0);
  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") > 50; }, seconds(30))) << cluster.logs();
  const std::vector<pid_t> children = cluster.children("a");

  cluster.broker().signal(SIGSTOP);
  ASSERT_TRUE(Site::eventually([&] { return std::ranges::none_of(children, runs); }, seconds(20)))
      << "they work on although no broker can know of it";
  cluster.broker().signal(SIGCONT);

  ASSERT_TRUE(Site::eventually([&] { return cluster.count("record") >= 3000; }, seconds(60)))
      << cluster.logs();
  OrderChecker checker = history_checker(3000);
  check(checker, cluster.all_recorded("record"));
  checker.finish();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
}

// Appends a part of the history while something restarts; then nothing is missing and nothing stood still for
// long.
class Rolling : public Hosts {
 protected:
  void SetUp() override {
    cluster.add_host("a", {"record"});
    cluster.add_host("b", {"record"});
    ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
    ASSERT_TRUE(cluster.start_host("a") && cluster.start_host("b")) << cluster.logs();
    ASSERT_EQ(
        cluster.site().cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit,
        0);
    ASSERT_TRUE(wait_for_events(200)) << cluster.logs();
  }
  bool wait_for_events(std::size_t n) {
    return Site::eventually([&] { return cluster.count("record") >= std::min(n, events); }, seconds(90));
  }
  void expect_whole(std::uint64_t repeats_max) {
    ASSERT_TRUE(Site::eventually(
        [&] {
          OrderChecker done = history_checker(events);
          check(done, cluster.all_recorded("record"));
          done.finish();
          return done.mistakes().empty();
        },
        seconds(60)))
        << cluster.logs();
    OrderChecker checker = history_checker(events);
    const std::vector<Recorded> all = cluster.all_recorded("record");
    check(checker, all);
    EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
    EXPECT_LE(checker.repeats(), repeats_max);
    std::int64_t longest_ns = 0;
    for (std::size_t i = 1; i < all.size(); ++i)
      longest_ns = std::max(longest_ns, all[i].time_ns - all[i - 1].time_ns);
    std::printf("longest stall %.0f ms, %llu repeats\n", static_cast<double>(longest_ns) / 1e6,
                static_cast<unsigned long long>(checker.repeats()));
    EXPECT_LT(longest_ns, 10 * s_ns) << "it stood still for longer than a lease";
  }

  static constexpr std::size_t events = 6000;
  Cluster cluster{recording("10s", "sleep_us = 3000")};
};

TEST_F(Rolling, RestartOfTheHostsLosesAndRepeatsNothing) {
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(cluster.host(name).end(SIGTERM), 0) << cluster.logs();
    ASSERT_TRUE(cluster.start_host(name)) << cluster.logs();
    ASSERT_TRUE(wait_for_events(cluster.count("record") + 200));
  }

  expect_whole(0);
}

TEST_F(Rolling, RestartOfTheBrokerLosesAndRepeatsNothing) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(cluster.broker().end(SIGTERM), 0) << cluster.logs();
    ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
    ASSERT_TRUE(wait_for_events(cluster.count("record") + 200)) << cluster.logs();
  }

  expect_whole(0);
}

TEST_F(Rolling, KilledBrokerIsFoundAgainWellWithinALease) {
  const std::int64_t from_ns = steady_ns();
  cluster.broker().end(SIGKILL);
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  const std::int64_t ready_ns = steady_ns();
  ASSERT_TRUE(
      Site::eventually([&] { return cluster.all_recorded("record").back().time_ns > ready_ns; }, seconds(10)))
      << cluster.logs();
  std::printf("broker ready after %.0f ms, working after %.0f ms\n",
              static_cast<double>(ready_ns - from_ns) / 1e6,
              static_cast<double>(cluster.all_recorded("record").back().time_ns - from_ns) / 1e6);

  expect_whole(events);
}

}  // namespace
}  // namespace cape::test
