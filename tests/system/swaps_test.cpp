// A plugin that is replaced a hundred times a second while events flow: they go on, in order and each once;
// what lies there last serves in the end; and the host has no more than before.
#include "tests/system/versions.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "host/child/image_copy.hpp"
#include "tests/system/history.hpp"
#include "tests/system/process.hpp"

namespace cape::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Small jobs, so that many a swap meets one. No rollback: what a busy machine makes of the times is no
// verdict on equal versions.
constexpr const char* swapped = R"(
rollback = { slower = 0 }
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
batch_events = 16
[topology.seen.lambda.record]
plugin = "record"
config = { sleep_us = 500 }
grant  = { state = true }
)";
constexpr std::size_t events = 15'000;  // some 8 s of work: longer than the storms take on a machine at rest
constexpr int storms = 6;
constexpr int swaps_per_storm = 60;
constexpr milliseconds between_swaps{10};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string hash_of(const std::string& bytes) {
  child::Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::size_t descriptors_of(pid_t pid) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    ++count;
  return count;
}

std::size_t resident_kib_of(pid_t pid) {
  for (const std::string& line : lines_of("/proc/" + std::to_string(pid) + "/status"))
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

class Swaps : public Versions {
 protected:
  // As a person does it who copies, as a build does it that moves, and as one does it who removes first.
  void replace(int how, const std::string& bytes) const {
    const fs::path to = plugin("record.so"), draft = plugin(".draft");
    if (how % 3 == 2) fs::remove(to);
    const fs::path file = how % 3 == 1 ? draft : to;
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
    if (how % 3 == 1) fs::rename(draft, to);
  }
  // A hundred a second, each other bytes; then rest. The hash of what lies there in the end.
  std::string storm(int number) {
    std::string last;
    auto due = steady_clock::now();
    for (int i = 0; i < swaps_per_storm; ++i) {
      last = library + " " + std::to_string(number) + "." + std::to_string(i);
      replace(i, last);
      due += between_swaps;
      std::this_thread::sleep_until(due);  // the rate is what is tested
    }
    return hash_of(last);
  }
  bool serves(const std::string& hash) const {
    const nlohmann::json one = entry("record", "serving");
    return !one.is_null() && one.at("hash") == hash;
  }

  const std::string library = bytes_of(zoo_plugin("record"));
};

TEST_F(Swaps, HundredASecondUnderLoadLoseRepeatAndDisorderNothing) {
  site.configure(swapped);
  replace(0, library);
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(events)).exit, 0);
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_TRUE(Site::eventually([&] { return ran() > 0; }, long_enough)) << site.up_log();
  const std::size_t descriptors = descriptors_of(site.up_pid()), resident = resident_kib_of(site.up_pid());

  std::size_t most_processes = 0;
  for (int i = 0; i < storms; ++i) {
    const std::string last = storm(i);
    ASSERT_TRUE(Site::eventually(
        [&] {
          most_processes = std::max(most_processes, Site::descendants(site.up_pid()).size());
          return serves(last);
        },
        long_enough))
        << "storm " << i << "\n"
        << listed().dump(1) << site.up_log();
  }
  EXPECT_TRUE(Site::eventually([&] { return ran() >= events; }, std::chrono::seconds(120))) << ran() << "\n"
                                                                                            << site.up_log();

  OrderChecker all = history_checker(events);
  std::set<std::uint64_t> fences;
  for (const Recorded& one : recorded(log())) {
    all.ran({one.subject, one.sequence});
    fences.insert(one.fence);
  }
  all.finish();
  EXPECT_TRUE(all.mistakes().empty()) << text_of(all);
  EXPECT_EQ(all.repeats(), 0u) << "an old child finishes what it began, and nobody else runs that";
  // The source's child, the old lambda's, the new one's and one that is inspected, each with its reaper.
  EXPECT_LE(most_processes, 8u);
  const auto is_back = [&] {
    return descriptors_of(site.up_pid()) <= descriptors + 8;
  };  // two former versions
  EXPECT_TRUE(Site::eventually(is_back, long_enough))
      << descriptors_of(site.up_pid()) << " were " << descriptors;
  EXPECT_LE(resident_kib_of(site.up_pid()), resident + 64 * 1024);
  std::printf("%d swaps in %d storms, %zu jobs, %zu processes at most, %zu descriptors (%zu before)\n",
              storms * swaps_per_storm, storms, fences.size(), most_processes, descriptors_of(site.up_pid()),
              descriptors);
}

}  // namespace
}  // namespace cape::test
