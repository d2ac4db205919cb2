// A source that shows an event below the latest it has told of: nobody passes it over in silence.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr const char* two_topologies = R"(
[domain.history]
source = "journal"
[topology.told]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.ran]
domain = "history"
late   = "run"
lambda.run = { plugin = "record", grant = { state = true } }
)";

// What a journal refuses, and a database that commits out of order does not.
void show_below(const Site& site, const std::string& subject, int sequence) {
  sqlite3* journal = nullptr;
  ASSERT_EQ(sqlite3_open((site.data() / "journal" / "history" / "events.db").c_str(), &journal), SQLITE_OK);
  sqlite3_busy_timeout(journal, 10'000);
  const std::string insert = "INSERT INTO event(subject_id, sequence, time_ns, type, payload) SELECT id, " +
                             std::to_string(sequence) + ", 0, 't', x'00' FROM subject WHERE name = '" +
                             subject + "'";
  EXPECT_EQ(sqlite3_exec(journal, insert.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(journal);
  sqlite3_close(journal);
}

std::vector<std::int64_t> ran(const Site& site, const std::string& topology) {
  std::vector<std::int64_t> sequences;
  for (const Recorded& r : recorded(site.data() / "state" / topology / "run" / "record.log"))
    sequences.push_back(r.sequence);
  return sequences;
}

json exceptions(const Site& site) {
  const json all = json::parse(site.cape({"--json", "coverage"}).out, nullptr, false);
  return all.is_object() && all.contains("exceptions") ? all["exceptions"] : json();
}

bool is_told(const Site& site) {
  const json list = exceptions(site);
  return list.is_array() && list.size() == 1 && list[0]["topology"] == "told" && list[0]["cause"] == "late" &&
         list[0]["sequence"] == 2 && list[0]["late"] == 1;
}

TEST(LateEvents, AreToldOrRunOnTheirOwnWhateverIsKilled) {
  Site site;
  site.add_plugin("record");
  site.configure(two_topologies);
  for (const char* sequence : {"1", "3"})
    ASSERT_EQ(site.cape({"append", "history", "a", "--sequence", sequence, "--no-ping"}).exit, 0);
  ASSERT_TRUE(site.up()) << site.up_log();
  const std::vector<std::int64_t> both{1, 3}, all{1, 3, 2};
  ASSERT_TRUE(
      Site::eventually([&] { return ran(site, "told") == both && ran(site, "ran") == both; }, seconds(60)))
      << site.up_log();
  // So that what was handed out is stored: without that a crash would read everything anew.
  ASSERT_TRUE(Site::eventually([&] { return site.cape({"coverage"}).exit == 0; }, seconds(60)));

  show_below(site, "a", 2);
  ASSERT_TRUE(Site::eventually([&] { return is_told(site) && ran(site, "ran") == all; }, seconds(120)))
      << exceptions(site) << "\n"
      << site.up_log();
  EXPECT_EQ(ran(site, "told"), both);

  site.kill_up(SIGKILL);
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_TRUE(Site::eventually([&] { return is_told(site); }, seconds(60))) << exceptions(site);
  const json list = json::parse(site.cape({"--json", "topology", "list"}).out);
  for (const json& topology : list["topologies"])
    EXPECT_EQ(topology["late"], topology["topology"] == "told" ? 1 : 0) << topology;
  EXPECT_EQ(site.cape({"skip", "told", "a", "--sequence", "2"}).exit, 0);
  EXPECT_TRUE(Site::eventually([&] { return site.cape({"coverage"}).exit == 0; }, seconds(60)))
      << exceptions(site);
  EXPECT_EQ(ran(site, "told"), both);
}

}  // namespace
}  // namespace cape::test
