// Topologies that come after others, and pipelined ones, as users run them: real processes, kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/system/history.hpp"

namespace cape::test {
namespace {

using Event = std::pair<std::string, std::int64_t>;

std::set<Event> events_of(const std::vector<Recorded>& ran) {
  std::set<Event> events;
  for (const Recorded& r : ran) events.emplace(r.subject, r.sequence);
  return events;
}

std::string line_of(const std::string& subject, std::int64_t sequence, const std::string& payload = "p") {
  return nlohmann::json{{"subject", subject}, {"sequence", sequence}, {"payload", payload}}.dump() + "\n";
}

// The fence is the job's id. Most events of one job; `all`: how many there are.
std::size_t largest_job(const std::vector<Recorded>& ran, std::size_t all) {
  EXPECT_EQ(ran.size(), all);
  std::map<std::uint64_t, std::size_t> jobs;
  std::size_t largest = 0;
  for (const Recorded& r : ran) largest = std::max(largest, ++jobs[r.fence]);
  return largest;
}

class Modes : public ::testing::Test {
 protected:
  std::vector<Recorded> ran(const std::string& topology) const {
    return recorded(site_.data() / "state" / topology / "run" / "record.log");
  }
  void run_to_idle(int exit) {
    ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
    EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), exit) << site_.up_log();
  }

  Site site_;
};

std::uint64_t seed() {
  const char* given = std::getenv("CAPE_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// `late` never sees what `first` has not run: what late has recorded by some time, first has recorded by
// then.
TEST_F(Modes, ComesAfterAPipelinedTopologyThroughKills) {
  constexpr std::size_t events = 4000;
  constexpr int kills = 8;
  const std::uint64_t chosen = seed();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(chosen) +
               " ./run test -L system -R Modes.ComesAfterAPipelinedTopologyThroughKills");
  std::mt19937_64 random(chosen);
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.late]
domain = "history"
after  = ["first"]
lambda.run = { plugin = "record", grant = { state = true } }
[topology.first]
domain = "history"
mode   = "pipelined"
batch_events = 4
lambda.run = { plugin = "record", config = { sleep_us = 100 }, grant = { state = true } }
)");
  site_.add_plugin("record");
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit, 0);

  const auto expect_late_behind_first = [&] {
    const auto late = events_of(ran("late"));  // read first, so that it is the older of the two
    const auto first = events_of(ran("first"));
    for (const Event& event : late)
      ASSERT_TRUE(first.contains(event)) << "late saw " << event.first << " " << event.second << " too early";
  };
  for (int kill = 0; kill < kills; ++kill) {
    ASSERT_TRUE(site_.up()) << site_.up_log();
    const std::size_t until = ran("late").size() + random() % 300 + 1;
    ASSERT_TRUE(Site::eventually([&] { return ran("late").size() >= std::min(until, events); },
                                 std::chrono::seconds(60)))
        << "stuck at " << ran("late").size() << " events before kill " << kill << "\n"
        << site_.up_log();
    expect_late_behind_first();
    site_.kill_up(SIGKILL);
    ASSERT_TRUE(Site::eventually([&] { return site_.left_processes().empty(); }, std::chrono::seconds(5)));
    expect_late_behind_first();
  }
  run_to_idle(0);

  EXPECT_EQ(events_of(ran("first")).size(), events);
  OrderChecker late = history_checker(events);
  check(late, ran("late"));
  late.finish();
  EXPECT_TRUE(late.mistakes().empty()) << text_of(late);
}

TEST_F(Modes, WaitsForAParkedEventOfAnEarlierTopologyAndIsIdleSo) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.bad]
domain = "history"
mode   = "pipelined"
lambda.run = { plugin = "fail_perm", config = { subject = "poison" }, grant = { state = true } }
[topology.late]
domain = "history"
after  = ["bad"]
lambda.run = { plugin = "record", grant = { state = true } }
[topology.last]
domain = "history"
after  = ["late"]
lambda.run = { plugin = "record", grant = { state = true } }
)");
  site_.add_plugin("fail_perm");
  site_.add_plugin("record");
  std::string events;
  OrderChecker others;
  for (int sequence = 1; sequence <= 5; ++sequence)
    for (const char* subject : {"a", "poison", "z"}) {
      events += line_of(subject, sequence);
      if (subject != std::string("poison")) others.expect(subject, sequence);
    }
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, events).exit, 0);

  run_to_idle(3);

  check(others, ran("last"));  // "poison" among them would be a mistake
  others.finish();
  EXPECT_TRUE(others.mistakes().empty()) << text_of(others);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  const Finished told = site_.cape({"--json", "subject", "history", "poison"});
  ASSERT_EQ(told.exit, 0) << told.err;
  std::map<std::string, nlohmann::json> by_name;
  const auto subject = nlohmann::json::parse(told.out);
  for (const auto& topology : subject.at("topologies")) by_name[topology.at("topology")] = topology;
  EXPECT_EQ(by_name["bad"].at("state"), "parked");
  EXPECT_EQ(by_name["late"].at("state"), "waiting");
  EXPECT_EQ(by_name["late"].at("reason"), "comes after topology 'bad', which is parked with its cursor at 0");
  EXPECT_EQ(by_name["last"].at("state"), "waiting");
  EXPECT_THAT(by_name["last"].at("reason").get<std::string>(), ::testing::HasSubstr("'late'"));
}

// Every event of many subjects fails three times. They lie far apart, so each has to be read by itself again.
TEST_F(Modes, RunsFailedJobsOfAPipelinedTopologyAgainWhileLaterOnesGoOn) {
  constexpr int subjects = 100, events_of_each = 20;
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
mode   = "pipelined"
retry  = { first = "20ms", max = "50ms" }
batch_events = 1
lambda.run = { plugin = "retry_n", grant = { state = true } }
)");
  site_.add_plugin("retry_n");
  std::string events;
  for (int event = 1; event <= events_of_each; ++event)
    for (int subject = 0; subject < subjects; ++subject)
      events += line_of("s" + std::to_string(subject), event * 1000);
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, events).exit, 0);

  run_to_idle(0);

  std::map<Event, int> runs;
  int overtook = 0;
  for (const Recorded& r : ran("seen")) {
    if (r.attempt > 0 && runs.contains({r.subject, r.sequence + 1000})) ++overtook;
    ++runs[{r.subject, r.sequence}];
  }
  EXPECT_EQ(runs.size(), std::size_t{subjects} * events_of_each);
  for (const auto& [event, count] : runs) EXPECT_EQ(count, 4) << event.first << " " << event.second;
  EXPECT_GT(overtook, 1000);
}

// The events lay there before anybody told of them: the newest alone runs, and the next one that comes.
TEST_F(Modes, LatestRunsTheNewestOfWhatWaitsAndTheRecordNamesTheRest) {
  site_.configure(R"(
[domain.history]
source = "journal"
[topology.preview]
domain = "history"
mode   = "latest"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.all]
domain = "history"
after  = ["preview"]
lambda.run = { plugin = "record", grant = { state = true } }
)");
  site_.add_plugin("record");
  std::string events;
  for (int sequence = 1; sequence <= 2000; ++sequence) events += line_of("a", sequence);
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, events).exit, 0);

  run_to_idle(0);
  ASSERT_EQ(site_.cape({"append", "history", "a", "--no-ping"}).exit, 0);
  run_to_idle(0);

  const auto of_preview = ran("preview");
  ASSERT_EQ(of_preview.size(), 2u);
  EXPECT_EQ(of_preview[0].sequence, 2000);
  EXPECT_EQ(of_preview[1].sequence, 2001);
  EXPECT_EQ(ran("all").size(), 2001u) << "what comes after it gets every event";
}

// Also where the keys are smaller than one event is.
TEST_F(Modes, PutsNoMoreIntoAJobThanItsTopologySays) {
  site_.configure(R"(
[domain.history]
source = "journal"
[domain.small]
source = "journal"
[topology.events]
domain = "history"
batch_events = 3
lambda.run = { plugin = "record", grant = { state = true } }
[topology.bytes]
domain = "history"
batch_bytes = 250
lambda.run = { plugin = "record", grant = { state = true } }
[topology.whole]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.single]
domain = "small"
batch_bytes = 1
lambda.run = { plugin = "record", grant = { state = true } }
)");
  site_.add_plugin("record");
  std::string events;
  for (int sequence = 1; sequence <= 20; ++sequence) events += line_of("a", sequence, std::string(100, 'x'));
  for (const char* domain : {"history", "small"})
    ASSERT_EQ(site_.cape({"append", domain, "--jsonl", "-", "--no-ping"}, events).exit, 0);

  run_to_idle(0);

  EXPECT_EQ(largest_job(ran("events"), 20), 3u);
  EXPECT_EQ(largest_job(ran("bytes"), 20), 2u);
  EXPECT_EQ(largest_job(ran("whole"), 20), 20u);
  EXPECT_EQ(largest_job(ran("single"), 20), 1u);
}

}  // namespace
}  // namespace cape::test
