// A host that is cut off from its broker: both live, and neither can know what the other does. And hosts that
// two operators gave one name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

#include "tests/system/cluster.hpp"
#include "tests/system/relay.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t lease_ns = 2 * second_ns;
constexpr std::int64_t kill_time_ns =
    2 * second_ns;  // how long after its lease a host's children may take to die

std::string with_lease(const std::string& lease, const std::string& more = "") {
  return fmt::format(R"(lease = "{}"
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = {{ first = "10ms" }}
[topology.seen.lambda.record]
plugin = "record"
config = {{ times = true{} }}
grant  = {{ state = true }}
)",
                     lease, more);
}

constexpr const char* hangs = R"(, sleep_us = 600000000, slow_subject = "stuck")";

class Partition : public testing::Test {
 protected:
  std::vector<Recorded> on(const std::string& host) {
    return recorded(cluster.state(host, "record") / "record.log");
  }
  void append(const std::string& subject) {
    ASSERT_EQ(cluster.site().cape({"append", "history", subject}).exit, 0);
  }
  bool recorded_in_all(std::size_t n) {
    return Site::eventually([&] { return cluster.count("record") >= n; }, seconds(30));
  }

  Cluster cluster{with_lease("2s")};
};

TEST_F(Partition, HostThatIsCutOffEndsItsChildrenBeforeItsJobsRunElsewhere) {
  cluster.add_host("a", {"record"}, with_lease("2s", hangs));
  cluster.add_host("b", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  Relay wire(cluster.site().dir() / "relay.sock", cluster.site().data() / "run" / "hosts.sock");
  ASSERT_TRUE(cluster.host("a").start_ready({"host", "--connect", wire.endpoint()})) << cluster.logs();
  append("stuck");
  ASSERT_TRUE(recorded_in_all(1)) << cluster.logs();
  ASSERT_TRUE(cluster.start_host("b")) << cluster.logs();
  const std::vector<pid_t> children = cluster.children("a");
  ASSERT_FALSE(children.empty());

  const std::int64_t cut_ns = steady_ns();
  wire.cut();
  ASSERT_TRUE(Site::eventually([&] { return std::ranges::none_of(children, runs); }, seconds(20)))
      << "its children outlive its lease\n"
      << cluster.logs();
  const std::int64_t dead_ns = steady_ns();
  ASSERT_TRUE(recorded_in_all(2)) << cluster.logs();

  EXPECT_LE(dead_ns - cut_ns, lease_ns + kill_time_ns);
  ASSERT_EQ(on("b").size(), 1u);
  EXPECT_GT(on("b")[0].time_ns, dead_ns) << "two children had the event at once";

  // Now the heartbeats and the statuses of the session that is over arrive.
  wire.heal();
  ASSERT_TRUE(Site::eventually([&] { return cluster.status("hosts") == 2; }, seconds(20))) << cluster.logs();
  append("after");
  ASSERT_TRUE(recorded_in_all(3)) << cluster.logs();
  EXPECT_EQ(on("a").size() + on("b").size(), 3u) << "something of the old session ran again";
}

// The default name is the machine's, so two hosts on one machine easily share it.
TEST_F(Partition, HelloOfANamesakeDoesNotEndTheJobsOfTheOther) {
  cluster.add_host("a", {"record"}, with_lease("2s", hangs));
  cluster.add_host("b", {"record"});
  ASSERT_TRUE(cluster.start_broker()) << cluster.logs();
  ASSERT_TRUE(cluster.host("a").start_ready({"host", "--name", "same"})) << cluster.logs();
  append("stuck");
  ASSERT_TRUE(recorded_in_all(1)) << cluster.logs();

  ASSERT_TRUE(cluster.host("b").start_ready({"host", "--name", "same"})) << cluster.logs();
  // What goes to a waits there behind the stuck event, so that it says nothing.
  int others = 0;
  ASSERT_TRUE(Site::eventually(
      [&] {
        append("other" + std::to_string(others++));
        return !on("b").empty();
      },
      seconds(30)))
      << cluster.logs();

  EXPECT_EQ(cluster.status("hosts"), 2);
  const std::vector<Recorded> all = cluster.all_recorded("record");
  EXPECT_EQ(std::ranges::count(all, "stuck", &Recorded::subject), 1)
      << "it runs twice at once: b's hello passed for a's word that its jobs have ended";
}

}  // namespace
}  // namespace cape::test
