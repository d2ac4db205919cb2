// `cape replay`, as operators see it: what runs again, in what order, and that nothing live moves by it,
// under load and through kills. CAPE_SEED repeats a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "storage/cursor_store.hpp"
#include "tests/system/history.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto patience = std::chrono::seconds(60);

constexpr const char* marking = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
batch_events = 8
retry = { first = "10ms" }
lambda.run = { plugin = "record", config = { marks = true, sleep_us = 300 }, grant = { state = true } }
)";

class Replaying : public ::testing::Test {
 protected:
  // "subject sequence mark" of each event that ran.
  std::vector<std::string> lines(const std::string& topology) const {
    std::vector<std::string> all;
    for (const std::string& line : lines_of(site_.data() / "state" / topology / "run" / "record.log")) {
      std::istringstream in(line);
      std::string subject, sequence, attempt, fence, mark;
      in >> subject >> sequence >> attempt >> fence >> mark;
      all.push_back(subject + " " + sequence + " " + mark);
    }
    return all;
  }
  std::vector<Recorded> ran(const std::string& topology) const {
    return recorded(site_.data() / "state" / topology / "run" / "record.log");
  }
  bool has_run(const std::string& topology, std::size_t events) const {
    return Site::eventually([&] { return ran(topology).size() >= events; }, patience);
  }
  json replay(const std::string& name) const {
    const json all = json::parse(site_.cape({"replay", "list", "--json"}).out, nullptr, false);
    if (all.is_object() && all.contains("replays"))
      for (const json& row : all["replays"])
        if (row["name"] == name) return row;
    return json::object();
  }
  bool comes_to(const std::string& name, const std::string& state) const {
    return Site::eventually([&] { return replay(name).value("state", "") == state; }, patience);
  }
  json subject(const std::string& domain, const std::string& name) const {
    const json all = json::parse(site_.cape({"why", domain, name, "--json"}).out, nullptr, false);
    return all.is_object() && all.contains("topologies") ? all["topologies"].at(0) : json::object();
  }
  void append(const std::string& subject, int events) {
    for (int i = 0; i < events; ++i)
      ASSERT_EQ(site_.cape({"append", "history", subject, "--no-ping"}).exit, 0);
    ASSERT_EQ(site_.cape({"ping", "history", subject}).exit, 0);
  }
  // The stored cursors of a domain, of a site whose broker is gone.
  std::map<std::string, std::int64_t> cursors(const std::string& domain) const {
    std::map<std::string, std::int64_t> found;
    auto store = storage::open_sqlite_store_read_only(site_.data());
    if (!store) return found;
    auto rows = (*store)->range(domain, "", "", SIZE_MAX);
    if (!rows)
      ADD_FAILURE() << rows.error().message;
    else
      for (const auto& row : *rows) found[row.subject] = row.info.topologies.at(0).cursor();
    return found;
  }

  Site site_;
};

TEST_F(Replaying, RunsARangeInTheShadowFlaggedAndInOrderAndNothingLiveMoves) {
  site_.configure(marking);
  site_.add_plugin("record");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  append("a", 6);
  append("b", 3);
  append("c", 1);
  ASSERT_TRUE(has_run("seen", 10)) << site_.up_log();

  const Finished begun =
      site_.cape({"replay", "seen", "--from", "2", "--to", "4", "--reason", "a new version", "--json"});
  ASSERT_EQ(begun.exit, 0) << begun.err;
  EXPECT_EQ(json::parse(begun.out)["name"], "seen-1");
  ASSERT_TRUE(comes_to("seen-1", "done")) << site_.up_log() << replay("seen-1");

  std::vector<std::string> again = lines("seen@replay");
  std::ranges::stable_sort(again, {}, [](const std::string& line) { return line.substr(0, line.find(' ')); });
  EXPECT_THAT(again, ElementsAre("a 2 replay", "a 3 replay", "a 4 replay", "b 2 replay", "b 3 replay"));
  const json row = replay("seen-1");
  EXPECT_EQ(row["subjects"], 2) << row;
  EXPECT_EQ(row["done"], 2) << row;
  EXPECT_EQ(row["parked"], 0) << row;
  EXPECT_EQ(row["events"], 5) << row;
  for (const std::string& line : lines("seen")) EXPECT_THAT(line, HasSubstr(" live"));
  EXPECT_EQ(ran("seen").size(), 10u) << "nothing ran again where it is live";
  const json audit = json::parse(site_.cape({"audit", "--json"}).out)["audit"];
  ASSERT_EQ(audit.size(), 1u) << audit;
  EXPECT_EQ(audit[0]["act"], "replay");
  EXPECT_EQ(audit[0]["from"], 2);
  EXPECT_EQ(audit[0]["to"], 4);
  EXPECT_EQ(audit[0]["reason"], "a new version");

  // What is live goes on, and the next replay begins anew.
  append("a", 1);
  ASSERT_TRUE(has_run("seen", 11)) << site_.up_log();
  ASSERT_EQ(site_.cape({"replay", "seen", "--from", "3", "--to", "3", "--subject", "a", "--name", "x"}).exit,
            0);
  ASSERT_TRUE(comes_to("x", "done")) << site_.up_log();
  EXPECT_EQ(lines("seen@replay").back(), "a 3 replay");
  EXPECT_EQ(lines("seen@replay").size(), 6u);
  site_.kill_up(SIGTERM);
  EXPECT_THAT(cursors("seen@replay"), IsEmpty()) << "its records are left";
  EXPECT_EQ(cursors("history"), (std::map<std::string, std::int64_t>{{"a", 7}, {"b", 3}, {"c", 1}}));
}

TEST_F(Replaying, UnderLoadAndKillsRunsEachEventOfItsRangeInOrderAndMovesNoLiveCursor) {
  constexpr std::size_t events = 2500;
  const char* given = std::getenv("CAPE_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(seed) +
               " ./run test -L system -R Replaying.UnderLoad");
  std::mt19937_64 random(seed);
  site_.configure(marking);
  site_.add_plugin("record");
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit, 0);
  std::int64_t to = 0;
  for (std::size_t i = 0; i < events; ++i) to = std::max(to, history()[i].sequence);
  const std::int64_t from = 3;
  to -= to / 4;
  std::map<std::string, std::vector<std::int64_t>> range;
  for (std::size_t i = 0; i < events; ++i)
    if (history()[i].sequence >= from && history()[i].sequence <= to)
      range[history()[i].subject].push_back(history()[i].sequence);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(has_run("seen", 20)) << site_.up_log();
  ASSERT_EQ(site_.cape({"replay", "seen", "--from", std::to_string(from), "--to", std::to_string(to)}).exit,
            0);

  std::map<std::string, std::int64_t> before;
  int kills_in_midst = 0;
  for (int kill = 0; kill < 4; ++kill) {
    const std::size_t until = ran("seen@replay").size() + 1 + random() % 150;
    ASSERT_TRUE(Site::eventually(
        [&] { return ran("seen@replay").size() >= until || replay("seen-1").value("state", "") == "done"; },
        patience))
        << site_.up_log();
    kills_in_midst += replay("seen-1").value("state", "") == "running";
    site_.kill_up(SIGKILL);
    for (const auto& [subject, cursor] : cursors("history")) {
      EXPECT_GE(cursor, before[subject]) << subject << " went back";
      before[subject] = cursor;
    }
    ASSERT_TRUE(site_.up()) << site_.up_log();
  }
  ASSERT_TRUE(comes_to("seen-1", "done")) << site_.up_log() << replay("seen-1");
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
  EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 0) << site_.up_log();

  OrderChecker live = history_checker(events);
  check(live, ran("seen"));
  live.finish();
  EXPECT_TRUE(live.mistakes().empty()) << text_of(live);
  OrderChecker shadow;
  for (const auto& [subject, sequences] : range)
    for (std::int64_t sequence : sequences) shadow.expect(subject, sequence);
  check(shadow, ran("seen@replay"));
  shadow.finish();
  EXPECT_TRUE(shadow.mistakes().empty()) << text_of(shadow);
  for (const std::string& line : lines("seen@replay")) ASSERT_THAT(line, HasSubstr(" replay"));
  for (const std::string& line : lines("seen")) ASSERT_THAT(line, HasSubstr(" live"));
  EXPECT_THAT(cursors("seen@replay"), IsEmpty()) << "its records are left";
  std::printf("%d kills while it ran, %llu runs, %llu of them repeats\n", kills_in_midst,
              static_cast<unsigned long long>(shadow.runs()),
              static_cast<unsigned long long>(shadow.repeats()));
}

TEST_F(Replaying, AParkedEventIsSeenAndSkippedThereAlone) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
lambda.run = { plugin = "fail_perm", config = { subject = "bad" } }
)");
  site_.add_plugin("fail_perm");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  append("bad", 2);
  append("good", 2);
  ASSERT_TRUE(
      Site::eventually([&] { return subject("history", "bad").value("cause", "") == "parked"; }, patience));
  ASSERT_EQ(site_.cape({"replay", "seen", "--from", "2", "--to", "9", "--name", "r"}).exit, 0);

  ASSERT_TRUE(Site::eventually([&] { return subject("seen@replay", "bad").value("cause", "") == "parked"; },
                               patience))
      << site_.up_log();
  EXPECT_TRUE(Site::eventually(
      [&] {
        const json row = replay("r");
        return row["parked"] == 1 && row["done"] == 1;
      },
      patience))
      << replay("r");
  const Finished second = site_.cape({"replay", "seen", "--from", "1", "--to", "9"});
  EXPECT_EQ(second.exit, 1);
  EXPECT_THAT(second.err, HasSubstr("replay 'r' of topology 'seen' runs"));
  EXPECT_EQ(site_.cape({"rewind", "seen@replay", "bad", "--to", "1"}).exit, 1) << "that is before its range";
  const Finished skipped = site_.cape({"skip", "seen@replay", "bad"});
  EXPECT_EQ(skipped.exit, 0) << skipped.err;

  EXPECT_TRUE(comes_to("r", "done")) << replay("r");
  EXPECT_EQ(subject("history", "bad").value("cause", ""), "parked");
  EXPECT_EQ(subject("history", "bad").value("cursor", -1), 0);
  const Finished gone = site_.cape({"why", "seen@replay", "bad"});
  EXPECT_EQ(gone.exit, 1);
}

TEST_F(Replaying, IsCancelledWhereverItStandsAndSurvivesAKillInBetween) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry = { first = "1h", max = "2h" }
lambda.run = { plugin = "retry_n", config = { n = 1000 } }
)");
  site_.add_plugin("retry_n");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  append("a", 2);
  ASSERT_EQ(site_.cape({"replay", "seen", "--from", "1", "--to", "2", "--name", "r"}).exit, 0);
  ASSERT_TRUE(Site::eventually(
      [&] { return subject("seen@replay", "a").value("cause", "") == "backing_off"; }, patience))
      << site_.up_log();
  ASSERT_TRUE(Site::eventually([&] { return replay("r")["failing"] == 1; }, patience)) << replay("r");
  site_.kill_up(SIGKILL);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  EXPECT_EQ(replay("r").value("state", ""), "running");

  ASSERT_EQ(site_.cape({"replay", "cancel", "r", "--reason", "enough"}).exit, 0);

  EXPECT_TRUE(comes_to("r", "cancelled")) << site_.up_log();
  EXPECT_EQ(replay("r")["parked"], 1) << "it was not done";
  const Finished again = site_.cape({"replay", "cancel", "r"});
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("has ended already"));
  EXPECT_EQ(json::parse(site_.cape({"audit", "--json"}).out)["audit"][0]["act"], "cancel_replay");
  EXPECT_EQ(subject("history", "a").value("cursor", -1), 0);
  site_.kill_up(SIGTERM);
  EXPECT_THAT(cursors("seen@replay"), IsEmpty());
}

TEST_F(Replaying, ADryRunTellsWhatWouldRunAndChangesNothing) {
  site_.configure(marking);
  site_.add_plugin("record");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  append("a", 6);
  append("b", 1);
  ASSERT_TRUE(has_run("seen", 7)) << site_.up_log();

  const Finished dry = site_.cape({"replay", "seen", "--from", "2", "--to", "4", "--dry-run", "--json"});
  ASSERT_EQ(dry.exit, 0) << dry.err;
  const json told = json::parse(dry.out);
  EXPECT_EQ(told["subjects"], 1) << told;
  EXPECT_EQ(told["rows"][0]["subject"], "a") << told;
  EXPECT_EQ(told["rows"][0]["to"], 4) << told;
  const Finished none = site_.cape({"replay", "seen", "--from", "9", "--to", "9", "--subject", "a"});
  EXPECT_EQ(none.exit, 1);
  EXPECT_THAT(none.err, HasSubstr("nothing from 9 on"));
  EXPECT_EQ(site_.cape({"replay", "other", "--from", "1", "--to", "2"}).exit, 1);
  EXPECT_EQ(site_.cape({"replay", "seen", "--from", "4", "--to", "2"}).exit, 2);
  EXPECT_EQ(site_.cape({"replay", "seen"}).exit, 2);
  EXPECT_EQ(site_.cape({"ping", "seen@replay", "a"}).exit, 2) << "no domain of that name";

  EXPECT_EQ(json::parse(site_.cape({"replay", "list", "--json"}).out)["replays"].size(), 0u);
  EXPECT_EQ(json::parse(site_.cape({"topology", "list", "--json"}).out)["topologies"].size(), 1u);
  EXPECT_THAT(lines("seen@replay"), IsEmpty());
  site_.kill_up(SIGTERM);
  EXPECT_EQ(site_.cape({"replay", "list"}).exit, 4);
}

}  // namespace
}  // namespace cape::test
