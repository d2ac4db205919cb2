// What operators do to a running broker, as they do it: by the commands, through kills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/system/history.hpp"
#include "tests/system/process.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr auto patience = std::chrono::seconds(30);

class Acts : public ::testing::Test {
 protected:
  std::vector<Recorded> ran(const std::string& topology) const {
    return recorded(site_.data() / "state" / topology / "run" / "record.log");
  }
  bool has_run(const std::string& topology, std::size_t events) const {
    return Site::eventually([&] { return ran(topology).size() >= events; }, patience);
  }
  json subject(const std::string& name, std::size_t topology = 0) const {
    const Finished told = site_.cape({"subject", "history", name, "--json"});
    const json all = json::parse(told.out, nullptr, false);
    return all.is_object() && all.contains("topologies") ? all["topologies"].at(topology) : json::object();
  }
  bool comes_to(const std::string& name, const std::string& state) const {
    return Site::eventually([&] { return subject(name).value("state", "") == state; }, patience);
  }

  Site site_;
};

constexpr const char* recording = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
)";

TEST_F(Acts, APauseHoldsThroughAKillUntilItIsResumed) {
  site_.configure(recording);
  site_.add_plugin("record");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);
  ASSERT_TRUE(has_run("seen", 1)) << site_.up_log();

  ASSERT_EQ(site_.cape({"pause", "seen", "--reason", "the index moves"}).exit, 0);
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);
  ASSERT_EQ(site_.cape({"append", "history", "new"}).exit, 0);
  EXPECT_TRUE(comes_to("new", "paused"));
  site_.kill_up(SIGKILL);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_EQ(site_.cape({"ping", "history", "a", "--ack"}).exit, 0);
  EXPECT_TRUE(comes_to("a", "paused"));
  EXPECT_THAT(subject("a").value("reason", ""), HasSubstr("the index moves"));
  EXPECT_EQ(ran("seen").size(), 1u);

  ASSERT_EQ(site_.cape({"resume", "seen"}).exit, 0);
  EXPECT_TRUE(has_run("seen", 3)) << site_.up_log();
}

TEST_F(Acts, AParkedEventIsRedrivenOrSkippedAndTheAuditTellsOfIt) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.run = { plugin = "fail_perm", config = { subject = "bad" } }
)");
  site_.add_plugin("fail_perm");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(site_.cape({"append", "history", "bad", "--no-ping"}).exit, 0);
  ASSERT_EQ(site_.cape({"ping", "history", "bad"}).exit, 0);
  ASSERT_TRUE(comes_to("bad", "parked")) << site_.up_log();

  EXPECT_EQ(site_.cape({"redrive", "seen"}).exit, 0);
  EXPECT_TRUE(comes_to("bad", "parked")) << "it fails again";
  const Finished refused = site_.cape({"skip", "seen", "bad", "--sequence", "2"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("event 2 is not the one"));
  const Finished skipped = site_.cape({"skip", "seen", "bad", "--reason", "corrupt", "--json"});
  EXPECT_EQ(skipped.exit, 0) << skipped.err;
  EXPECT_EQ(json::parse(skipped.out)["rows"][0]["to"], 1);
  EXPECT_TRUE(Site::eventually([&] { return subject("bad").value("cursor", 0) == 1; }, patience));

  const json audit = json::parse(site_.cape({"audit", "--json"}).out)["audit"];
  ASSERT_EQ(audit.size(), 2u) << audit;
  EXPECT_EQ(audit[0]["act"], "skip");
  EXPECT_EQ(audit[0]["subject"], "bad");
  EXPECT_EQ(audit[0]["to"], 1);
  EXPECT_EQ(audit[0]["reason"], "corrupt");
  EXPECT_EQ(audit[1]["act"], "redrive");
}

// A rewind either happened whole or not at all, and what it rewinds runs again in order.
TEST_F(Acts, ARewindUnderLoadAndKillsNeverMovesACursorWrongly) {
  constexpr std::size_t events = 3000;
  constexpr int rewinds = 6;
  const char* given = std::getenv("CAPE_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(seed) +
               " ./run test -L system -R Acts.ARewindUnder");
  std::mt19937_64 random(seed);
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
batch_events = 8
lambda.run = { plugin = "record", config = { sleep_us = 50 }, grant = { state = true } }
)");
  site_.add_plugin("record");
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit, 0);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(has_run("seen", 200)) << site_.up_log();

  for (int i = 0; i < rewinds; ++i) {
    const auto before = ran("seen");
    const Recorded& some = before[random() % before.size()];
    const std::string to = std::to_string(1 + random() % static_cast<std::uint64_t>(some.sequence));
    const Finished rewound = site_.cape({"rewind", "seen", some.subject, "--to", to});
    EXPECT_TRUE(rewound.exit == 0 || rewound.err.find("has yet to run") != std::string::npos) << rewound.err;
    if (i % 2 == 1) {
      site_.kill_up(SIGKILL);
      ASSERT_TRUE(site_.up()) << site_.up_log();
    }
  }
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
  EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 0) << site_.up_log();

  // Of each subject: no event before the ones ahead of it were seen, first time or again.
  std::map<std::string, std::set<std::int64_t>> seen;
  std::map<std::string, std::vector<std::int64_t>> all;
  for (std::size_t i = 0; i < events; ++i) all[history()[i].subject].push_back(history()[i].sequence);
  for (const Recorded& r : ran("seen")) {
    for (std::int64_t earlier : all[r.subject]) {
      if (earlier >= r.sequence) break;
      ASSERT_TRUE(seen[r.subject].contains(earlier))
          << r.subject << " " << r.sequence << " before " << earlier;
    }
    seen[r.subject].insert(r.sequence);
  }
  for (const auto& [subject, sequences] : all) EXPECT_EQ(seen[subject].size(), sequences.size()) << subject;
}

// Each skip passes over one event, however it was cut off; nothing behind the parked event runs; others go
// on.
TEST_F(Acts, SkipsAndRedrivesUnderLoadAndKillsMoveACursorByOneEventEach) {
  constexpr std::size_t events = 3000;
  constexpr int poisoned = 60, rounds = 16;
  const char* given = std::getenv("CAPE_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(seed) +
               " ./run test -L system -R Acts.SkipsAndRedrives");
  std::mt19937_64 random(seed);
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.bad]
domain = "history"
batch_events = 8
lambda.run = { plugin = "fail_perm", config = { subject = "poison" }, grant = { state = true } }
)");
  site_.add_plugin("fail_perm");
  std::string lines = history_jsonl(events);
  for (int i = 0; i < poisoned; ++i) lines += "{\"subject\":\"poison\",\"payload\":\"p\"}\n";
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, lines).exit, 0);
  ASSERT_TRUE(site_.up()) << site_.up_log();

  int skipped = 0, cut_off = 0;
  for (int round = 0; round < rounds; ++round) {
    ASSERT_TRUE(comes_to("poison", "parked")) << site_.up_log();
    const bool skips = random() % 3 != 0;
    Daemon act(site_.dir(), "act");
    act.start({skips ? "skip" : "redrive", "bad", "poison"});
    const bool kills = random() % 2 == 0;
    if (kills) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
      site_.kill_up(SIGKILL);
      ASSERT_TRUE(site_.up()) << site_.up_log();
    }
    const int exit = act.wait(patience);
    EXPECT_TRUE(exit == 0 || kills) << exit << act.log();
    if (skips) ++(exit == 0 ? skipped : cut_off);
  }
  ASSERT_TRUE(comes_to("poison", "parked")) << site_.up_log();
  const std::int64_t cursor = subject("poison").value("cursor", std::int64_t{-1});
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
  EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 3) << site_.up_log();

  EXPECT_GE(cursor, skipped);
  EXPECT_LE(cursor, skipped + cut_off);
  OrderChecker others = history_checker(events);
  std::vector<Recorded> healthy;
  std::set<std::int64_t> tried;
  for (const Recorded& r : ran("bad")) {
    if (r.subject != "poison") {
      healthy.push_back(r);
      continue;
    }
    EXPECT_LE(r.sequence, cursor + 1) << "an event ran behind the one that is parked";
    tried.insert(r.sequence);
  }
  EXPECT_EQ(tried.size(), static_cast<std::size_t>(cursor + 1)) << "an event was passed over that never ran";
  check(others, healthy);
  others.finish();
  EXPECT_TRUE(others.mistakes().empty()) << text_of(others);
  std::printf("seed %llu: %d skips, %d cut off, cursor %lld\n", static_cast<unsigned long long>(seed),
              skipped, cut_off, static_cast<long long>(cursor));
}

TEST_F(Acts, WithoutABrokerTheyEndWithFour) {
  site_.configure(recording);
  for (const auto& line : std::vector<std::vector<std::string>>{{"pause", "seen"},
                                                                {"resume", "seen"},
                                                                {"park", "seen", "a"},
                                                                {"redrive", "seen"},
                                                                {"skip", "seen", "a"},
                                                                {"rewind", "seen", "--to", "1"}})
    EXPECT_EQ(site_.cape(line).exit, 4) << line.front();
  EXPECT_EQ(site_.cape({"rewind", "seen"}).exit, 2);
  EXPECT_EQ(site_.cape({"skip", "seen"}).exit, 2);
  EXPECT_EQ(site_.cape({"audit"}).exit, 0);
}

}  // namespace
}  // namespace cape::test
