#include "tests/host/crashes.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/host/fake_broker.hpp"

namespace cape::test {
namespace {

namespace fs = std::filesystem;

struct WayToDie {
  const char* payload;
  OutcomeKind outcome;
};
constexpr std::array<WayToDie, 6> ways{{{"segv", OutcomeKind::signaled},
                                        {"abort", OutcomeKind::signaled},
                                        {"exit", OutcomeKind::exited},
                                        {"violation", OutcomeKind::violation},
                                        {"protocol", OutcomeKind::protocol},
                                        {"hang", OutcomeKind::hung}}};
// A hang takes its timeout and the time to stop: it is one of so many.
constexpr int rounds_per_hang = 12;
const WayToDie& way_of(int crash) {
  const auto all = static_cast<int>(ways.size());
  const bool hangs = crash % (all * rounds_per_hang) == all - 1;
  return hangs ? ways.back() : ways[static_cast<std::size_t>(crash % (all - 1))];
}

// What a process has, that of its children left out.
struct Holdings {
  std::size_t heap_bytes = 0, resident_bytes = 0, descriptors = 0, threads = 0, children = 0;
};

std::size_t count_entries(const char* dir) {
  const fs::directory_iterator entries(dir);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// Without those by which the times of a child that lives are read: they are opened when it is first looked
// at.
std::size_t count_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code closed;  // the host's thread may close it between
    const fs::path target = fs::read_symlink(entry.path(), closed);
    const bool reads_living_child = target.filename() == "stat" && fs::exists(target);
    count += closed || reads_living_child ? 0 : 1;
  }
  return count;
}

// Those that died and were not waited for are among them.
std::size_t count_children() {
  std::size_t count = 0;
  for (const auto& thread : fs::directory_iterator("/proc/self/task")) {
    std::ifstream pids(thread.path() / "children");
    count += static_cast<std::size_t>(std::distance(std::istream_iterator<int>(pids), {}));
  }
  return count;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0, resident_pages = 0;
  statm >> pages >> resident_pages;
  return resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Holdings holdings() {
  ::malloc_trim(0);  // what was freed and kept for later is no leak
  return {.heap_bytes = ::mallinfo2().uordblks + ::mallinfo2().hblkhd,
          .resident_bytes = resident_bytes(),
          .descriptors = count_descriptors(),
          .threads = count_entries("/proc/self/task"),
          .children = count_children()};
}

class Crashes {
 public:
  bool until_ready() { return broker_.until_credit(); }

  // A crash, and a success after it; the child of the success is the one that lives on.
  void die(const WayToDie& way) {
    EXPECT_EQ(run(way.payload), way.outcome) << way.payload;
    ASSERT_EQ(run("fine"), OutcomeKind::ok) << "after " << way.payload;
  }
  // The host has told of all of it. What it still closes behind the last child is gone within a second of
  // rest, a leak is not: the least that was seen counts.
  Holdings settled(std::uint64_t crashes) {
    EXPECT_TRUE(broker_.until([&] { return broker_.report.crashes >= crashes; })) << broker_.report.crashes;
    Holdings least = holdings();
    for (int look = 0; look < 50; ++look) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between two looks at another thread
      const Holdings now = holdings();
      least.heap_bytes = std::min(least.heap_bytes, now.heap_bytes);
      least.resident_bytes = std::min(least.resident_bytes, now.resident_bytes);
      least.descriptors = std::min(least.descriptors, now.descriptors);
      least.threads = std::min(least.threads, now.threads);
      least.children = std::min(least.children, now.children);
    }
    return least;
  }

 private:
  OutcomeKind run(const char* payload) {
    const JobId id = ++last_job_;
    broker_.statuses.clear();
    broker_.running.clear();
    broker_.run({job_of(id, payload)});
    if (!broker_.until_statuses(1)) return OutcomeKind::internal;
    return broker_.statuses.at(id).at(0).end.kind;
  }

  FakeBroker broker_{R"(
[topology.t]
domain = "d"
retry = { first = "1ms", max = "1ms" }
[topology.t.lambda.guest]
plugin = "dies"
children_max = 1
timeout = "1s"
)",
                     {"dies"}};
  JobId last_job_ = 0;
};

void print(const char* when, const Holdings& has) {
  std::printf("%s: heap %zu KiB, resident %zu KiB, %zu descriptors, %zu threads, %zu children\n", when,
              has.heap_bytes >> 10, has.resident_bytes >> 10, has.descriptors, has.threads, has.children);
}

}  // namespace

void expect_crashes_leave_nothing(int crashes) {
  constexpr int warm_up = 60;  // every way several times: caches are filled and tables have their size
  constexpr std::size_t heap_growth_max = 32u << 10, resident_growth_max = 1u << 20;
  Crashes host;
  ASSERT_TRUE(host.until_ready());
  for (int crash = 0; crash < warm_up; ++crash) ASSERT_NO_FATAL_FAILURE(host.die(way_of(crash)));
  const Holdings before = host.settled(warm_up);

  for (int crash = 0; crash < crashes; ++crash) ASSERT_NO_FATAL_FAILURE(host.die(way_of(crash)));

  const Holdings after = host.settled(static_cast<std::uint64_t>(warm_up + crashes));
  print("before", before);
  print("after ", after);
  EXPECT_LE(after.heap_bytes, before.heap_bytes + heap_growth_max) << "in " << crashes << " crashes";
  EXPECT_LE(after.resident_bytes, before.resident_bytes + resident_growth_max);
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_EQ(before.children, 2u) << "the child and the spare";
  EXPECT_EQ(after.children, 2u);
}

}  // namespace cape::test
