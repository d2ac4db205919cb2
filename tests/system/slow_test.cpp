// A slow event costs its own subject alone.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds delay_max{1000};
constexpr milliseconds long_enough{20'000};  // to tell how late what is too late was

std::string events_of(const std::vector<std::string>& subjects, int sequence) {
  std::string lines;
  for (const std::string& subject : subjects)
    lines += nlohmann::json{{"subject", subject}, {"sequence", sequence}, {"payload", "p"}}.dump() + "\n";
  return lines;
}

std::vector<std::string> subjects_of(int count) {
  std::vector<std::string> subjects;
  for (int i = 0; i < count; ++i) subjects.push_back(fmt::format("s{}", i));
  return subjects;
}

std::int64_t events_done(const Site& site) {
  const Finished told = site.cape({"status", "--json"});
  return told.exit == 0 ? nlohmann::json::parse(told.out).value("events_done", std::int64_t{-1}) : -1;
}

std::string state_of(const Site& site, const std::string& subject) {
  const Finished told = site.cape({"subject", "history", subject, "--json"});
  if (told.exit != 0) return told.err;
  return nlohmann::json::parse(told.out).at("topologies").at(0).value("state", std::string());
}

// Appends `events` and returns how long it took until `done` events were done in all.
milliseconds time_until(const Site& site, const std::string& events, std::int64_t done) {
  const auto begun = steady_clock::now();
  EXPECT_EQ(site.cape({"append", "history", "--jsonl", "-"}, events).exit, 0);
  EXPECT_TRUE(Site::eventually([&] { return events_done(site) >= done; }, long_enough)) << site.up_log();
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
}

TEST(SlowEvent, ThatSleepsAMinuteDelaysNoOtherSubjectOfItsTopologyByMoreThanASecond) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.work]
domain = "history"
[topology.work.lambda.run]
plugin = "sleepy"
config = { subject = "slow", sleep_ms = 60000 }
children_max = 2
)");
  site.add_plugin("sleepy");
  ASSERT_TRUE(site.up()) << site.up_log();
  const std::vector<std::string> others = subjects_of(50);
  std::int64_t done = 50;
  time_until(site, events_of(others, 1),
             done);  // the lambda is known to be quick: jobs go ahead of each other

  std::vector<std::string> slow_first = others;
  slow_first.insert(slow_first.begin() + 10, "slow");
  milliseconds longest = time_until(site, events_of(slow_first, 2), done += 50);
  for (int sequence = 3; sequence < 8; ++sequence) {
    ASSERT_EQ(state_of(site, "slow"), "in_flight") << "it no longer runs: the test says nothing";
    longest = std::max(longest, time_until(site, events_of(others, sequence), done += 50));
  }

  EXPECT_EQ(state_of(site, "slow"), "in_flight");
  std::printf("appending and running 50 events beside the slow one took %lld ms at most\n",
              static_cast<long long>(longest.count()));
  EXPECT_LE(longest, delay_max);
}

}  // namespace
}  // namespace cape::test
