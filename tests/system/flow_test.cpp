// Who gets how much, as operators see it: the breaker of a lambda whose service is down, a host with few
// places shared by weight, a source that is asked no more often than its domain says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr auto patience = std::chrono::seconds(60);
constexpr std::int64_t ns_per_s = 1'000'000'000;

class Flow : public ::testing::Test {
 protected:
  std::vector<Recorded> ran(const std::string& topology) const {
    return recorded(site_.data() / "state" / topology / "run" / "record.log");
  }
  bool has_run(const std::string& topology, std::size_t events) const {
    return Site::eventually([&] { return ran(topology).size() >= events; }, patience);
  }
  json of_command(std::vector<std::string> words) const {
    words.push_back("--json");
    last_ = site_.cape(words).out;
    const json all = json::parse(last_, nullptr, false);
    return all.is_object() ? all : json::object();
  }
  json topology(std::size_t row) const {
    const json all = of_command({"topology", "list"});
    return all.contains("topologies") ? all["topologies"].at(row) : json::object();
  }
  // One event of each of so many subjects.
  void append_to(const std::string& domain, int subjects) const {
    std::string lines;
    for (int i = 0; i < subjects; ++i)
      lines += "{\"subject\":\"s" + std::to_string(i) + "\",\"payload\":\"p\"}\n";
    ASSERT_EQ(site_.cape({"append", domain, "--jsonl", "-", "--no-ping"}, lines).exit, 0);
  }

  Site site_;
  mutable std::string last_;
};

TEST_F(Flow, AServiceThatIsDownOpensTheBreakerUntilItIsBack) {
  constexpr int subjects = 20;
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.call]
domain = "history"
retry  = { first = "10ms", max = "100ms" }
lambda.run = { plugin = "down", grant = { state = true }, breaker = { probe_max = "200ms" } }
)");
  site_.add_plugin("down");
  const fs::path state = site_.data() / "state" / "call" / "run";
  fs::create_directories(state);
  std::ofstream(state / "down").put('\n');
  append_to("history", subjects);
  ASSERT_TRUE(site_.up()) << site_.up_log();

  json row;
  const bool is_named = Site::eventually(
      [&] {
        for (int i = 0; i < subjects; ++i) {
          const json all = of_command({"why", "history", "s" + std::to_string(i)});
          row = all.contains("topologies") ? all["topologies"].at(0) : json::object();
          if (row.value("cause", "") == "circuit_open") return true;
        }
        return false;
      },
      patience);
  EXPECT_TRUE(is_named) << last_ << site_.up_log();
  EXPECT_THAT(row.value("reason", ""), HasSubstr("the service is down"));
  const json lambda = topology(0)["lambdas"].at(0);
  EXPECT_EQ(lambda["circuit"], "open") << last_;
  EXPECT_GE(lambda["circuit_opened"], 1);
  EXPECT_THAT(site_.cape({"topology", "list"}).out, HasSubstr("run:down (circuit open)"));

  fs::remove(state / "down");
  EXPECT_TRUE(Site::eventually(
      [&] {
        row = topology(0);
        return row.value("behind", -1) == 0 && row["lambdas"].at(0)["circuit"] == "closed";
      },
      patience))
      << last_ << site_.up_log();
  std::vector<std::string> seen;
  for (const Recorded& r : ran("call"))
    if (std::ranges::find(seen, r.subject) == seen.end()) seen.push_back(r.subject);
  EXPECT_EQ(seen.size(), std::size_t{subjects});
}

// Four places, of which each topology could fill all: while both have work, three are `heavy`'s.
TEST_F(Flow, AHostWithFewPlacesIsSharedByWeight) {
  constexpr int subjects = 10000;
  site_.configure(R"(
[host]
jobs_max = 4
[domain.history]
source = "journal"
[topology.heavy]
domain = "history"
weight = 3
batch_events = 1
lambda.run = { plugin = "sleepy", config = { sleep_ms = 8 }, children_max = 4 }
[topology.light]
domain = "history"
batch_events = 1
lambda.run = { plugin = "sleepy", config = { sleep_ms = 8 }, children_max = 4 }
)");
  site_.add_plugin("sleepy");
  append_to("history", subjects);
  ASSERT_TRUE(site_.up()) << site_.up_log();

  // Both in one answer, so that they are of one time.
  struct Done {
    int heavy = 0, light = 0;
  };
  int in_flight_max = 0;
  const auto once_heavy_has_done = [&](int events) {
    Done done;
    EXPECT_TRUE(Site::eventually(
        [&] {
          const json all = of_command({"topology", "list"});
          if (!all.contains("topologies")) return false;
          const json &heavy = all["topologies"][0], &light = all["topologies"][1];
          in_flight_max = std::max(in_flight_max,
                                   heavy["jobs_in_flight"].get<int>() + light["jobs_in_flight"].get<int>());
          done = {heavy["events_done"], light["events_done"]};
          return done.heavy >= events;
        },
        patience))
        << last_ << site_.up_log();
    return done;
  };
  const Done from = once_heavy_has_done(300), to = once_heavy_has_done(900);

  ASSERT_LT(to.heavy, subjects) << "it was done before it could be looked at";
  EXPECT_LE(in_flight_max, 4);
  const double share = static_cast<double>(to.heavy - from.heavy) / std::max(to.light - from.light, 1);
  EXPECT_GE(share, 2) << "it gets less than its share";
  EXPECT_LE(share, 4.5) << "the other gets less than its share";
}

TEST_F(Flow, ASourceIsAskedNoMoreOftenThanItsDomainSays) {
  constexpr int subjects = 100, queries_per_s = 25;
  site_.configure(R"(
[domain.history]
source = "journal"
queries_per_s = 25
[topology.seen]
domain = "history"
lambda.run = { plugin = "record", config = { times = true }, grant = { state = true } }
)");
  site_.add_plugin("record");
  append_to("history", subjects);

  ASSERT_TRUE(site_.up()) << site_.up_log();

  ASSERT_TRUE(has_run("seen", subjects)) << site_.up_log();
  const std::vector<Recorded> all = ran("seen");
  // What it may save up while nothing is asked for is a tenth of a second's.
  EXPECT_GE(all.back().time_ns - all.front().time_ns, (subjects * 8 / 10) * ns_per_s / queries_per_s);
  const json source = of_command({"status"})["source"];
  EXPECT_GT(source["held_up"], 0) << last_;
  EXPECT_GE(source["queries"], subjects);
}

}  // namespace
}  // namespace cape::test
