// Topologies with start = "latest", as users run them: what was there before the first start never runs, what
// comes after it always does, through kill -9 in the midst of the scan.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto patience = std::chrono::seconds(60);

constexpr const char* from_latest = R"(
refresh = { subjects_per_s = 1000000 }
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
start  = "latest"
lambda.run = { plugin = "record", grant = { state = true } }
)";

class BeginsAtLatest : public ::testing::Test {
 protected:
  BeginsAtLatest() {
    site_.configure(from_latest);
    site_.add_plugin("record");
  }

  std::vector<std::string> ran() const {
    std::vector<std::string> events;
    for (const Recorded& r : recorded(site_.data() / "state" / "seen" / "run" / "record.log"))
      events.push_back(r.subject + " " + std::to_string(r.sequence));
    return events;
  }
  bool append(const std::string& subject) const {
    return site_.cape({"append", "history", subject, "--no-ping"}).exit == 0;
  }
  void run_to_idle() {
    ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
    EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 0) << site_.up_log();
  }
  json topology() const {
    const json all = json::parse(site_.cape({"topology", "list", "--json"}).out, nullptr, false);
    return all.is_object() && all.contains("topologies") ? all["topologies"].at(0) : json::object();
  }

  Site site_;
};

TEST_F(BeginsAtLatest, OnlyWhatComesAfterTheFirstStartRuns) {
  ASSERT_TRUE(append("a") && append("a") && append("b"));
  run_to_idle();
  EXPECT_THAT(ran(), IsEmpty());
  const json a = json::parse(site_.cape({"subject", "history", "a", "--json"}).out);
  EXPECT_EQ(a["topologies"][0]["cursor"], 2) << "told without a broker, too: " << a;

  ASSERT_TRUE(append("a") && append("c") && append("c"));
  run_to_idle();  // the baseline of the first start holds

  EXPECT_THAT(ran(), ::testing::UnorderedElementsAre("a 3", "c 1", "c 2"));
}

TEST_F(BeginsAtLatest, ATopologyThatJoinsLaterBeginsWhereItsSourceIsThen) {
  site_.configure(std::string(from_latest) + R"(
[topology.all]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
)");
  ASSERT_TRUE(append("a"));
  run_to_idle();
  ASSERT_TRUE(append("a"));
  site_.configure(std::string(from_latest) + R"(
[topology.all]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.young]
domain = "history"
start  = "latest"
lambda.run = { plugin = "record", grant = { state = true } }
)");

  run_to_idle();
  ASSERT_TRUE(append("a"));
  run_to_idle();

  EXPECT_THAT(ran(), ElementsAre("a 2", "a 3"));
  std::vector<std::int64_t> young;
  for (const Recorded& r : recorded(site_.data() / "state" / "young" / "run" / "record.log"))
    young.push_back(r.sequence);
  EXPECT_THAT(young, ElementsAre(3));
}

TEST_F(BeginsAtLatest, AWhyAskedBeforeTheSourceRunsNamesTheBaseline) {
  site_.configure(R"(
[domain.history]
source = "source_crash"
[topology.seen]
domain = "history"
start  = "latest"
lambda.run = { plugin = "record", grant = { state = true } }
)");
  ASSERT_TRUE(site_.up()) << site_.up_log();

  // Until its directories are read the host cannot say what it misses.
  json row;
  EXPECT_TRUE(Site::eventually(
      [&] {
        row = json::parse(site_.cape({"why", "history", "a", "--json"}).out)["topologies"].at(0);
        return row["reason"].get<std::string>().find("source_crash") != std::string::npos;
      },
      patience))
      << row;
  EXPECT_EQ(row["cause"], "baseline_running") << row;
  EXPECT_EQ(topology()["baseline"], 0);
}

// Killed a little later each time, so that on a machine of any speed some kills come in the midst of the
// scan. What is on disk then says so. From the time a subject's start is stored its next event counts as
// after it.
TEST_F(BeginsAtLatest, NoEventAfterItIsMissedThroughKillsInItsMidst) {
  constexpr int subjects = 40'000;
  std::string lines;
  for (int i = 0; i < subjects; ++i)
    lines += "{\"subject\":\"s" + std::to_string(100'000 + i) + "\",\"payload\":\"p\"}\n";
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, lines).exit, 0);
  const std::string first = "s100000", last = "s139999";  // of the first page and of the last one
  const auto is_placed = [&](const std::string& subject) {
    const Finished told = site_.cape({"subject", "history", subject, "--json"});
    EXPECT_EQ(told.exit, 0) << told.err;
    return told.exit == 0 && json::parse(told.out)["topologies"][0]["cursor"] >= 1;
  };

  int kills_in_midst = 0;
  std::vector<std::string> expected;
  for (auto wait = std::chrono::milliseconds(1); !is_placed(last);
       wait += wait / 4 + std::chrono::milliseconds(1)) {
    ASSERT_LT(wait, patience) << "the scan does not end";
    ASSERT_TRUE(site_.up()) << site_.up_log();
    std::this_thread::sleep_for(wait);
    site_.kill_up(SIGKILL);
    if (!is_placed(first) || is_placed(last)) continue;
    ++kills_in_midst;
    ASSERT_TRUE(append(first));
    expected.push_back(first + " " + std::to_string(expected.size() + 2));
  }
  run_to_idle();

  EXPECT_GT(kills_in_midst, 0) << "the scan was over before it could be killed";
  // A kill may have come before the cursor was stored: then some run twice.
  std::vector<std::string> first_runs;
  for (const std::string& event : ran())
    if (std::ranges::find(first_runs, event) == first_runs.end()) first_runs.push_back(event);
  EXPECT_EQ(first_runs, expected) << "killed in its midst " << kills_in_midst << " times";
  const json row = topology();
  EXPECT_EQ(row["behind"], 0) << row;
}

}  // namespace
}  // namespace cape::test
