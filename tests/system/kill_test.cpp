// kill -9 at seeded moments: of the whole `cape up`, of lambda children, of source children. Each kill meets
// work in flight. Nothing is missing, order holds, no cursor stands past an event that has not run, and no
// process and no mount remains. CAPE_SEED repeats a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>

#include <nlohmann/json.hpp>

#include "storage/cursor_store.hpp"
#include "tests/system/history.hpp"

namespace cape::test {
namespace {

constexpr int kills = 50;

constexpr const char* slow_recorder = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = { first = "10ms" }
[topology.seen.lambda.record]
plugin = "record"
config = { sleep_us = 100 }
grant  = { state = true }
)";

std::uint64_t seed() {
  const char* given = std::getenv("CAPE_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

class Killing : public ::testing::Test {
 protected:
  fs::path log() const { return site_.data() / "state" / "seen" / "record" / "record.log"; }

  std::size_t ran() const {  // whole lines; cheap enough to look at often
    std::error_code none;
    const auto bytes = fs::file_size(log(), none);
    if (none || bytes == last_bytes_) return last_lines_;
    last_bytes_ = bytes;
    return last_lines_ = lines_of(log()).size();
  }

  // Mounts of ours that were not there when the test began: a child's must never leave its namespace.
  std::vector<std::string> left_mounts() const {
    std::vector<std::string> left;
    std::ranges::set_difference(sorted_mounts(), mounts_, std::back_inserter(left));
    return left;
  }
  void expect_nothing_left() const {
    EXPECT_TRUE(Site::eventually([&] { return site_.left_processes().empty(); }, std::chrono::seconds(5)))
        << "processes are left";
    EXPECT_THAT(left_mounts(), testing::IsEmpty());
  }

  // The cursors on disk, of a site whose broker is gone.
  std::map<std::string, std::int64_t> saved_cursors() const {
    std::map<std::string, std::int64_t> cursors;
    auto store = storage::open_sqlite_store_read_only(site_.data());
    if (!store) return cursors;
    auto rows = (*store)->range("history", "", "", SIZE_MAX);
    if (!rows) ADD_FAILURE() << rows.error().message;
    else
      for (const auto& row : *rows) cursors[row.subject] = row.info.topologies.at(0).cursor();
    return cursors;
  }

  // Feeds what ran since the last call.
  void feed() {
    const std::vector<Recorded> all = recorded(log());
    for (; fed_ < all.size(); ++fed_) checker_.ran({all[fed_].subject, all[fed_].sequence});
  }

  static std::vector<std::string> sorted_mounts() {
    std::vector<std::string> mounts = lines_of("/proc/self/mountinfo");
    std::ranges::sort(mounts);
    return mounts;
  }

  const std::vector<std::string> mounts_ = sorted_mounts();
  Site site_;
  OrderChecker checker_ = history_checker();
  std::size_t fed_ = 0;
  mutable std::uintmax_t last_bytes_ = 0;
  mutable std::size_t last_lines_ = 0;
};

TEST_F(Killing, LosesNothingAndKeepsOrder) {
  const std::uint64_t chosen = seed();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(chosen) +
               " ./run test -L system -R Killing.LosesNothingAndKeepsOrder");
  std::mt19937_64 random(chosen);
  site_.configure(slow_recorder);
  site_.add_plugin("record");
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl()).exit, 0);

  ASSERT_TRUE(site_.up()) << site_.up_log();
  for (int kill = 0; kill < kills; ++kill) {
    const std::size_t until = ran() + random() % 400 + 1;
    if (until >= history_events) break;
    ASSERT_TRUE(Site::eventually([&] { return ran() >= until; }, std::chrono::seconds(60)))
        << "stuck at " << ran() << " events before kill " << kill << "\n" << site_.up_log();
    const std::vector<pid_t> children = Site::descendants(site_.up_pid());
    const bool whole = random() % 2 == 0 || children.empty();
    if (!whole) {  // one process of a child: its reaper or the plugin's own, of a lambda or of a source
      const pid_t victim = children[random() % children.size()];
      std::printf("kill %d: process %d of a child after %zu events\n", kill, victim, ran());
      ::kill(victim, SIGKILL);
      continue;
    }
    std::printf("kill %d: cape up after %zu events\n", kill, ran());
    site_.kill_up(SIGKILL);
    expect_nothing_left();
    ASSERT_FALSE(HasFailure());
    feed();
    for (const auto& [subject, cursor] : saved_cursors()) {
      checker_.cursor_stands(subject, cursor);
      checker_.saved(subject, cursor);
    }
    ASSERT_TRUE(checker_.mistakes().empty()) << text_of(checker_);
    ASSERT_TRUE(site_.up()) << site_.up_log();
  }
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
  EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 0) << site_.up_log();

  feed();
  checker_.finish();
  EXPECT_TRUE(checker_.mistakes().empty()) << text_of(checker_);
  expect_nothing_left();
  std::printf("%llu runs, %llu of them repeats\n", static_cast<unsigned long long>(checker_.runs()),
              static_cast<unsigned long long>(checker_.repeats()));
}

}  // namespace
}  // namespace cape::test
