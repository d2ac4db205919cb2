// `cape coverage`, as users see it: what is proven, what is an exception, with a broker and without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto patience = std::chrono::seconds(60);

// Subject b fails for ever in `bad`.
constexpr const char* two_topologies = R"(
[domain.history]
source = "journal"
[topology.good]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.bad]
domain = "history"
retry  = { first = "10ms", max = "50ms" }
stuck_after = "300ms"
lambda.run = { plugin = "throw_it", config = { subject = "b" } }
)";

class Covered : public ::testing::Test {
 protected:
  Covered() {
    site_.configure(two_topologies);
    site_.add_plugin("record");
    site_.add_plugin("throw_it");
  }

  json coverage(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"coverage", "--json"});
    last_ = site_.cape(more);
    const json all = json::parse(last_.out, nullptr, false);
    return all.is_object() ? all : json::object();
  }
  json of(const json& all, const std::string& topology) const {
    for (const json& row : all.value("coverage", json::array()))
      if (row["topology"] == topology) return row;
    return json::object();
  }
  std::string told() const { return last_.out + last_.err + site_.up_log(); }

  Site site_;
  mutable Finished last_;
};

TEST_F(Covered, EverythingIsProvenOnceAWalkFoundItDone) {
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);
  EXPECT_EQ(site_.cape({"coverage"}).exit, 3) << "nothing is proven yet";
  ASSERT_TRUE(site_.up()) << site_.up_log();

  json all;
  EXPECT_TRUE(Site::eventually(
      [&] {
        all = coverage();
        return last_.exit == 0 && of(all, "good")["subjects"] == 1;
      },
      patience))
      << told();

  EXPECT_TRUE(of(all, "good")["proven_to"].is_string()) << told();
  EXPECT_GE(of(all, "good")["unproven_for_ms"].get<std::int64_t>(), 0);
  EXPECT_EQ(of(all, "good")["exceptions"], 0);
  EXPECT_THAT(all["exceptions"], IsEmpty());
  EXPECT_THAT(coverage({"--topology", "good"})["coverage"], SizeIs(1));
  EXPECT_EQ(site_.cape({"coverage", "--topology", "none"}).exit, 2);
}

TEST_F(Covered, ASubjectThatFailsForTooLongIsAnExceptionAndStuckAlsoAfterAKill) {
  for (const char* subject : {"a", "b", "c"}) ASSERT_EQ(site_.cape({"append", "history", subject}).exit, 0);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  json all;
  const auto is_stuck = [&] {
    all = coverage();
    return of(all, "bad")["stuck"] == 1 && all["exceptions"].size() == 1;
  };
  ASSERT_TRUE(Site::eventually(is_stuck, patience)) << told();
  EXPECT_EQ(last_.exit, 3);
  EXPECT_EQ(all["error"]["code"], "behind") << told();
  const json exception = all["exceptions"].at(0);
  EXPECT_EQ(exception["subject"], "b");
  EXPECT_EQ(exception["topology"], "bad");
  EXPECT_EQ(exception["cause"], "failing");
  EXPECT_EQ(exception["sequence"], 1);
  EXPECT_EQ(of(all, "good")["exceptions"], 0);
  const json topologies = json::parse(site_.cape({"topology", "list", "--json"}).out)["topologies"];
  EXPECT_EQ(topologies[0]["stuck"], 0);
  EXPECT_EQ(topologies[1]["stuck"], 1);

  site_.kill_up(SIGKILL);
  all = coverage();
  EXPECT_THAT(last_.err, HasSubstr("no broker answers"));
  EXPECT_EQ(last_.exit, 3);
  EXPECT_EQ(all["exceptions"].at(0)["failing_since"], exception["failing_since"]) << told();
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(Site::eventually(is_stuck, patience)) << told();

  EXPECT_EQ(all["exceptions"].at(0)["failing_since"], exception["failing_since"]);
}

TEST_F(Covered, WhatIsParkedOrPausedIsAnException) {
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(Site::eventually([&] { return of(coverage(), "good")["subjects"] == 1; }, patience)) << told();
  ASSERT_EQ(site_.cape({"pause", "good", "--reason", "we move"}).exit, 0);
  ASSERT_EQ(site_.cape({"park", "bad", "a", "--reason", "look at it"}).exit, 0);
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);

  json all;
  EXPECT_TRUE(Site::eventually(
      [&] {
        all = coverage();
        return of(all, "good")["exceptions"] == 1 && of(all, "bad")["exceptions"] == 1 &&
               all["exceptions"].size() == 2;
      },
      patience))
      << told();

  for (const json& row : all["exceptions"]) {
    EXPECT_EQ(row["cause"], row["topology"] == "good" ? "paused" : "parked") << row;
    EXPECT_THAT(row["reason"].get<std::string>(),
                HasSubstr(row["topology"] == "good" ? "we move" : "look at it"));
  }
}

TEST_F(Covered, WhatIsProvenIsToldWithoutABroker) {
  ASSERT_EQ(site_.cape({"append", "history", "a"}).exit, 0);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "60s"})) << site_.up_log();
  ASSERT_EQ(site_.wait_up(std::chrono::seconds(70)), 0) << site_.up_log();

  const json all = coverage();

  EXPECT_EQ(last_.exit, 0) << told();
  EXPECT_EQ(of(all, "bad")["subjects"], 1);
  EXPECT_THAT(last_.err, HasSubstr("no broker answers"));
}

}  // namespace
}  // namespace cape::test
