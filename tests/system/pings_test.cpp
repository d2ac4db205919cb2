// Pings are hints: lost, repeated or acknowledged, every event runs, and no more often for it.
#include <gtest/gtest.h>

#include "tests/system/history.hpp"
#include "wire/ping_client.hpp"

namespace cape::test {
namespace {

std::string recording_config(const std::string& head) {
  return head + R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)";
}

fs::path log_of(const Site& site) {
  return site.data() / "state" / "seen" / "record" / "record.log";
}

wire::PingClient client(const Site& site) {
  const std::string run = "ipc://" + (site.data() / "run").string();
  auto made = wire::PingClient::connect({.push = run + "/push.sock", .ping = run + "/ping.sock"}, 1000);
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

class Pings : public ::testing::TestWithParam<Arrangement> {};

TEST_P(Pings, RefreshAloneFindsEverythingWhenAllAreLost) {
  Site site(GetParam());
  site.configure(recording_config(""));
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();

  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(3000)).exit, 0);

  EXPECT_TRUE(
      Site::eventually([&] { return lines_of(log_of(site)).size() >= 3000; }, std::chrono::seconds(30)))
      << lines_of(log_of(site)).size() << " events ran\n"
      << site.up_log();
  OrderChecker checker = history_checker(3000);
  check(checker, recorded(log_of(site)));
  checker.finish();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
  EXPECT_EQ(checker.repeats(), 0u);
}

TEST_P(Pings, SentThreeTimesRunNoEventMoreOften) {
  Site site(GetParam());
  site.configure(recording_config("refresh = { enabled = false }\n"));
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  wire::PingClient pings = client(site);
  ASSERT_TRUE(pings.wait_for_broker(5000).has_value());

  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(3000)).exit, 0);
  for (std::size_t i = 0; i < 3000; ++i)
    for (int times = 0; times < 3; ++times) {
      const Seen& seen = history()[i];
      // A full queue drops a ping of the three; what was appended before the last ping of its subject is
      // found.
      const auto sent = pings.ping({.domain = "history", .subject = seen.subject, .hint = seen.sequence});
      if (!sent) {
        ASSERT_TRUE(pings.ping_wait({.domain = "history", .subject = seen.subject}, 5000).has_value());
      }
    }

  EXPECT_TRUE(
      Site::eventually([&] { return lines_of(log_of(site)).size() >= 3000; }, std::chrono::seconds(30)))
      << lines_of(log_of(site)).size() << " events ran\n"
      << site.up_log();
  site.kill_up(SIGTERM);
  OrderChecker checker = history_checker(3000);
  check(checker, recorded(log_of(site)));
  checker.finish();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
  EXPECT_EQ(checker.repeats(), 0u);
}

TEST_P(Pings, AnAcknowledgedOneSurvivesAKillWithoutRefresh) {
  Site site(GetParam());
  site.configure(
      recording_config("refresh = { enabled = false }\n"));  // nothing runs: its plugin is not there
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "kept", "--no-ping"}).exit, 0);
  wire::PingClient pings = client(site);
  auto reply = pings.ping_wait({.domain = "history", .subject = "kept"}, 5000);
  ASSERT_TRUE(reply.has_value());
  ASSERT_EQ(reply->answer, wire::PingAnswer::acknowledged) << reply->reason;

  site.kill_up(SIGKILL);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();

  EXPECT_TRUE(Site::eventually([&] { return lines_of(log_of(site)).size() == 1; }, std::chrono::seconds(20)))
      << site.up_log();
}

INSTANTIATE_TEST_SUITE_P(Run, Pings, ::testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& run) { return name_of(run.param); });

}  // namespace
}  // namespace cape::test
