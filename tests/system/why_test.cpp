// `cape why`, asked of a running broker: the causes that it takes more than the scheduler to know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr auto patience = std::chrono::seconds(30);

class WhyOf : public ::testing::Test {
 protected:
  json why(const std::string& subject) const {
    last_ = site_.cape({"why", "history", subject, "--json"}).out;
    const json all = json::parse(last_, nullptr, false);
    return all.is_object() && all.contains("topologies") ? all["topologies"].at(0) : json::object();
  }
  bool comes_to(const std::string& subject, const std::string& cause) const {
    return Site::eventually([&] { return why(subject).value("cause", "") == cause; }, patience);
  }

  Site site_;
  mutable std::string last_;
};

constexpr const char* one_topology = R"(
refresh = { enabled = false }
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
)";

TEST_F(WhyOf, AnEventThatNobodyPingedIsSeenAtItsSource) {
  site_.configure(one_topology);
  site_.add_plugin("record");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  EXPECT_TRUE(comes_to("a", "up_to_date")) << last_;

  ASSERT_EQ(site_.cape({"append", "history", "a", "--no-ping"}).exit, 0);
  EXPECT_TRUE(comes_to("a", "no_ping_yet")) << last_;
  EXPECT_THAT(why("a").value("reason", ""), HasSubstr("up to 1"));

  ASSERT_EQ(site_.cape({"ping", "history", "a"}).exit, 0);
  EXPECT_TRUE(comes_to("a", "up_to_date")) << last_;
  EXPECT_EQ(why("a").value("cursor", 0), 1);
}

TEST_F(WhyOf, ASourceThatDoesNotRunIsNamed) {
  site_.configure(R"(
[domain.history]
source = "source_crash"
[topology.seen]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
)");
  site_.add_plugin("record");
  ASSERT_TRUE(site_.up()) << site_.up_log();

  EXPECT_TRUE(comes_to("a", "source_failed")) << last_;
  // Before its first start it is told that the plugin directories are still being read.
  EXPECT_TRUE(Site::eventually(
      [&] { return why("a").value("reason", "").find("source_crash") != std::string::npos; }, patience))
      << last_;
}

TEST_F(WhyOf, ALambdaThatNoHostOffersIsNamedUntilItIsThere) {
  site_.configure(one_topology);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);

  EXPECT_TRUE(comes_to("a", "no_host")) << last_;
  EXPECT_THAT(why("a").value("reason", ""), HasSubstr("record"));
  site_.add_plugin("record");
  EXPECT_TRUE(comes_to("a", "up_to_date")) << last_;
}

TEST_F(WhyOf, AnEventThatRunsTellsWhereAndSinceWhen) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.run = { plugin = "sleepy", config = { sleep_ms = 60000 } }
)");
  site_.add_plugin("sleepy");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);

  EXPECT_TRUE(comes_to("a", "in_flight")) << last_;
  const json told = why("a");
  EXPECT_EQ(told.value("host", ""), "local");
  EXPECT_EQ(told.value("sequence", 0), 1);
  EXPECT_GE(told.value("for_ms", -1), 0);
}

TEST_F(WhyOf, APluginThatCrashesOnEverySubjectIsSetAside) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = { first = "50ms", max = "100ms" }
lambda.run = { plugin = "segv" }
)");
  site_.add_plugin("segv");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  for (int i = 0; i < 8; ++i) ASSERT_EQ(site_.cape({"append", "history", "s" + std::to_string(i)}).exit, 0);

  EXPECT_TRUE(Site::eventually(
      [&] {
        for (int i = 0; i < 8; ++i)
          if (why("s" + std::to_string(i)).value("cause", "") == "plugin_set_aside") return true;
        return false;
      },
      patience))
      << last_ << site_.up_log();
}

TEST_F(WhyOf, IsRefusedForWhatDoesNotExist) {
  site_.configure(one_topology);
  EXPECT_EQ(site_.cape({"why", "history", "a"}).exit, 4);
  EXPECT_EQ(site_.cape({"why", "nothing", "a"}).exit, 2);
  EXPECT_EQ(site_.cape({"why", "history", ""}).exit, 2);
}

}  // namespace
}  // namespace cape::test
