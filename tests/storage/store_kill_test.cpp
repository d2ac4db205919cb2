// A broker that is killed at any instruction: whatever was reported done is there, and the epoch rises by
// one.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "storage/cursor_store.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::TempDir;
using test::write_of;

constexpr SubjectId subjects = 40;

// Saves step after step, the cursor of subject step % 40 at `step`, and tells each one that is done to `out`.
int save_until_killed(const fs::path& dir, Sequence step, int out, std::uint32_t seed) {
  auto opened = open_sqlite_store(dir);
  if (!opened) return 1;
  CursorStore& store = **opened;
  std::mt19937 random(seed);
  const Sequence first = step;
  while (true) {
    for (std::uint32_t burst = random() % 20; burst > 0; --burst, ++step) {
      const SubjectId id = 1 + static_cast<SubjectId>(step) % subjects;
      store.submit(
          {.cursors = {write_of(id, "s" + std::to_string(id), step, step)}, .sync = random() % 8 == 0});
    }
    pollfd waiting{.fd = store.fd(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 1);
    for (const CommitDone& done : store.poll()) {
      const Sequence saved = first + static_cast<Sequence>(done.ticket) - 1;
      if (!done.result || ::write(out, &saved, sizeof saved) != sizeof saved) return 2;
    }
  }
}

struct Killed {
  bool opened = false;
  Sequence done = 0;  // the last step that was reported
};

Killed run_and_kill(const fs::path& dir, Sequence step, std::mt19937& random) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const std::uint32_t seed = random();
  const pid_t child = test::start_process([&] {
    ::close(ends[0]);
    return save_until_killed(dir, step, ends[1], seed);
  });
  ::close(ends[1]);
  Killed result{.done = step - 1};
  for (std::uint32_t reports = random() % 300; reports > 0; --reports) {
    if (::read(ends[0], &result.done, sizeof result.done) != sizeof result.done) break;
    result.opened = true;
  }
  ::usleep(random() % 1000);  // so that the kill falls anywhere within a commit
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  Sequence more = 0;
  while (::read(ends[0], &more, sizeof more) == sizeof more) {
    result.done = more;
    result.opened = true;
  }
  ::close(ends[0]);
  return result;
}

TEST(KilledStore, KeepsEveryWriteItReportedAndRaisesTheEpochByOne) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  TempDir dir;
  ASSERT_TRUE(open_sqlite_store(dir.path()));
  Sequence step = 1;
  std::uint32_t epoch = 1;

  for (int round = 0; round < 25; ++round) {
    const Killed killed = run_and_kill(dir.path(), step, random);
    auto store = open_sqlite_store(dir.path());
    ASSERT_TRUE(store) << store.error().message;

    // A child killed before it reported anything may have died before or after it raised the epoch.
    if (killed.opened) {
      EXPECT_EQ((*store)->epoch(), epoch + 2) << "round " << round;
    } else {
      EXPECT_GT((*store)->epoch(), epoch);
    }
    epoch = (*store)->epoch();
    Sequence highest = killed.done;
    for (SubjectId id = 1; id <= subjects; ++id) {
      const auto found = (*store)->load("history", "s" + std::to_string(id));
      ASSERT_TRUE(found) << found.error().message;
      const Sequence cursor = *found ? (*found)->info.topologies[0].cursor() : 0;
      const Sequence behind_done =
          (killed.done - static_cast<Sequence>(id) + 1) % static_cast<Sequence>(subjects);
      const Sequence wanted =
          killed.done - (behind_done + static_cast<Sequence>(subjects)) % static_cast<Sequence>(subjects);
      EXPECT_GE(cursor, wanted) << "round " << round << ", subject " << id << ": a reported write is lost";
      highest = std::max(highest, cursor);
    }
    step = highest + 1;
  }
  EXPECT_GT(step, 100) << "the kills came too early to test anything";
}

TEST(KilledStore, CanBeReadByACommandBeforeTheNextBrokerStarts) {
  std::mt19937 random(1);
  TempDir dir;
  Killed killed;
  while (!killed.opened) killed = run_and_kill(dir.path(), 1, random);

  const auto store = open_sqlite_store_read_only(dir.path());

  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE((*store)->range("history", "", "", 100)->empty());
}

}  // namespace
}  // namespace cape::storage
