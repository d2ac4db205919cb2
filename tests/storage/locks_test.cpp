#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/clock.hpp"
#include "storage/cursor_store.hpp"
#include "storage/life_lock.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::start_process;
using test::TempDir;

// A process that has said over a pipe that it is ready, and lives until it is killed.
class Holder {
 public:
  explicit Holder(const std::function<bool()>& take) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = start_process([&] {
      const char answer = take() ? 'y' : 'n';
      if (::write(ends[1], &answer, 1) != 1) return 1;
      while (true) ::pause();
    });
    char answer = 0;
    EXPECT_EQ(::read(ends[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Holder() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(DataDirLock, MakesADirectoryThatChildrenCanPass) {
  TempDir dir;
  const fs::path data_dir = dir.path() / "made" / "for me";

  const auto lock = DataDirLock::take(data_dir);

  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(test::mode_of(data_dir), "0755");
}

TEST(DataDirLock, NamesTheProcessThatHoldsIt) {
  TempDir dir;
  const Holder holder([&] {
    static auto lock = DataDirLock::take(dir.path());
    return lock.has_value();
  });

  const auto second = DataDirLock::take(dir.path());

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_NE(second.error().message.find("process " + std::to_string(holder.pid())), std::string::npos)
      << second.error().message;
}

TEST(DataDirLock, IsFreeOnceItsHolderIsKilled) {
  TempDir dir;
  Holder holder([&] {
    static auto lock = DataDirLock::take(dir.path());
    return lock.has_value();
  });
  ASSERT_FALSE(DataDirLock::take(dir.path()));

  holder.end();

  EXPECT_TRUE(DataDirLock::take(dir.path()));
}

TEST(DataDirLock, IsWaitedForWhileAChildThatItsKilledHolderWasMakingHasIt) {
  TempDir dir;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t broker = start_process([&] {
    static auto lock = DataDirLock::take(dir.path());
    const pid_t child = ::fork();
    if (child == 0) {
      ::usleep(300'000);
      ::_exit(0);
    }
    return ::write(ends[1], &child, sizeof child) == sizeof child && lock ? 0 : 1;
  });
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ::waitpid(broker, nullptr, 0);

  const auto next = DataDirLock::take(dir.path());

  EXPECT_TRUE(next) << next.error().message;
}

TEST(DataDirLock, IsHeldByItsLastOwnerAfterAMove) {
  TempDir dir;
  auto first = DataDirLock::take(dir.path());
  ASSERT_TRUE(first);
  {
    const DataDirLock second(std::move(*first));
    EXPECT_FALSE(DataDirLock::take(dir.path()));
  }
  EXPECT_TRUE(DataDirLock::take(dir.path()));
}

TEST(DataDirLock, SurvivesGarbageInItsFile) {
  TempDir dir;
  std::ofstream(dir.path() / "lock") << "not a number\n" << std::string(1000, 'x');

  EXPECT_TRUE(DataDirLock::take(dir.path()));
}

TEST(DataDirLock, SaysWhatIsWrongWhereItCannotWrite) {
  if (!test::can_be_another_user()) GTEST_SKIP() << "needs root, to become a user without rights";
  TempDir dir;

  const int code = test::run_in_process(
      [&] {
        const auto lock = DataDirLock::take(dir.path() / "below");
        const bool clear = !lock && lock.error().code == ErrorCode::io &&
                           lock.error().message.find((dir.path() / "below").string()) != std::string::npos;
        return clear ? 0 : 1;
      },
      65534);

  EXPECT_EQ(code, 0);
}

TEST(LifeLock, IsTakenAtOnceWhenNothingOfThePastLives) {
  TempDir dir;
  EXPECT_TRUE(take_life_lock(dir.path(), 0));
  EXPECT_TRUE(take_life_lock(dir.path(), 0));
}

TEST(LifeLock, OfAChildOutlivesItsKilledBroker) {
  TempDir dir;
  // The broker passes its descriptor to a child and dies; the child alone keeps the lock.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t broker = start_process([&] {
    auto life = take_life_lock(dir.path(), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) ::pause();
    }
    return ::write(ends[1], &child, sizeof child) == sizeof child && life ? 0 : 1;
  });
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ::waitpid(broker, nullptr, 0);

  const auto too_early = take_life_lock(dir.path(), 20);

  ASSERT_FALSE(too_early);
  EXPECT_EQ(too_early.error().code, ErrorCode::conflict);
  EXPECT_NE(too_early.error().message.find("children.lock"), std::string::npos) << too_early.error().message;
  ::kill(child, SIGKILL);  // not ours to wait for: its end is seen through the lock
  EXPECT_TRUE(take_life_lock(dir.path(), 20'000));
}

TEST(LifeLock, IsSharedAmongTheChildrenOfOneStart) {
  TempDir dir;
  auto life = take_life_lock(dir.path(), 0);
  ASSERT_TRUE(life);
  const UniqueFd other(::open((dir.path() / "children.lock").c_str(), O_RDWR | O_CLOEXEC));

  EXPECT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

}  // namespace
}  // namespace cape::storage
