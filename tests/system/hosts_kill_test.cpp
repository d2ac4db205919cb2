// kill -9 of the broker, of hosts and of their children at seeded moments, over the real history. CAPE_SEED
// repeats a run.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <random>

#include "storage/cursor_store.hpp"
#include "tests/system/cluster.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;

constexpr int kills = 30;
constexpr std::size_t events = 12'000;

constexpr const char* slow_recorder = R"(lease = "1s"
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = { first = "10ms" }
[topology.seen.lambda.record]
plugin = "record"
config = { sleep_us = 200, times = true }
grant  = { state = true }
)";

std::uint64_t chosen_seed() {
  const char* given = std::getenv("CAPE_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// The cursors on disk, of a site whose broker is gone.
std::map<std::string, std::int64_t> cursors_of(const Site& site) {
  std::map<std::string, std::int64_t> cursors;
  auto store = storage::open_sqlite_store_read_only(site.data());
  if (!store) return cursors;
  auto rows = (*store)->range("history", "", "", SIZE_MAX);
  if (!rows)
    ADD_FAILURE() << rows.error().message;
  else
    for (const auto& row : *rows) cursors[row.subject] = row.info.topologies.at(0).cursor();
  return cursors;
}

class KillingHosts : public testing::Test {
 protected:
  void kill_broker() {
    cluster_.broker().end(SIGKILL);
    const std::map<std::string, std::int64_t> cursors = cursors_of(cluster_.site());
    OrderChecker checker = history_checker(events);
    check(checker, cluster_.all_recorded("record"));
    for (const auto& [subject, cursor] : cursors) checker.cursor_stands(subject, cursor);
    ASSERT_TRUE(checker.mistakes().empty()) << text_of(checker);
    ASSERT_TRUE(cluster_.start_broker()) << cluster_.logs();
  }

  Cluster cluster_{slow_recorder};
};

TEST_F(KillingHosts, LosesNothingAndKeepsOrder) {
  const std::uint64_t seed = chosen_seed();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(seed) +
               " ctest -R KillingHosts.LosesNothingAndKeepsOrder");
  std::mt19937_64 random(seed);
  cluster_.add_host("a", {"record"});
  cluster_.add_host("b", {"record"});
  ASSERT_EQ(
      cluster_.site().cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit,
      0);
  ASSERT_TRUE(cluster_.start_broker()) << cluster_.logs();
  ASSERT_TRUE(cluster_.start_host("a") && cluster_.start_host("b")) << cluster_.logs();

  for (int kill = 0; kill < kills; ++kill) {
    const std::size_t until = cluster_.count("record") + random() % 300 + 1;
    if (until >= events) break;
    ASSERT_TRUE(Site::eventually([&] { return cluster_.count("record") >= until; }, seconds(60)))
        << "stuck at " << cluster_.count("record") << " before kill " << kill << "\n"
        << cluster_.logs();
    const std::string name = random() % 2 == 0 ? "a" : "b";
    switch (random() % 4) {
      case 0:
        std::printf("kill %d: the broker after %zu events\n", kill, until);
        ASSERT_NO_FATAL_FAILURE(kill_broker());
        break;
      case 1: {
        const std::vector<pid_t> children = cluster_.children(name);
        if (children.empty()) break;
        std::printf("kill %d: a process of a child of host %s after %zu events\n", kill, name.c_str(), until);
        ::kill(children[random() % children.size()], SIGKILL);
        break;
      }
      default:
        std::printf("kill %d: host %s after %zu events\n", kill, name.c_str(), until);
        cluster_.host(name).end(SIGKILL);
        ASSERT_TRUE(cluster_.start_host(name)) << cluster_.logs();
    }
  }

  const auto done = [&] {
    OrderChecker checker = history_checker(events);
    check(checker, cluster_.all_recorded("record"));
    checker.finish();
    return checker;
  };
  EXPECT_TRUE(Site::eventually([&] { return done().mistakes().empty(); }, seconds(120))) << cluster_.logs();
  const OrderChecker checker = done();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
  std::printf("%llu runs, %llu of them repeats\n", static_cast<unsigned long long>(checker.runs()),
              static_cast<unsigned long long>(checker.repeats()));
}

}  // namespace
}  // namespace cape::test
