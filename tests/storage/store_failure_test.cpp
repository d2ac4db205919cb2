// What the store says and keeps when the world round it breaks.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <thread>

#include "core/clock.hpp"
#include "core/unique_fd.hpp"
#include "storage/cursor_store.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::commit;
using test::RawDb;
using test::run_in_process;
using test::TempDir;
using test::write_of;

constexpr int skipped = 77;

std::unique_ptr<CursorStore> open_or_die(const fs::path& dir) {
  Result<std::unique_ptr<CursorStore>> store = open_sqlite_store(dir);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    ::_exit(98);
  }
  return std::move(*store);
}

bool says(const Error& error, std::string_view text) {
  if (error.message.find(text) != std::string::npos) return true;
  std::fprintf(stderr, "no '%.*s' in: %s\n", static_cast<int>(text.size()), text.data(),
               error.message.c_str());
  return false;
}

WriteBatch many(SubjectId first, SubjectId count, Sequence cursor) {
  WriteBatch batch;
  for (SubjectId id = first; id < first + count; ++id) {
    batch.cursors.push_back(write_of(id, "subject/" + std::to_string(id), cursor, cursor));
  }
  return batch;
}

// Submits until a commit fails. Gives how many subjects were reported done, 0 if none ever failed.
SubjectId fill(CursorStore& store, Result<void>& failed) {
  for (SubjectId first = 1; first < 1'000'000; first += 500) {
    failed = commit(store, many(first, 500, 1));
    if (!failed) return first - 1;
  }
  return 0;
}

TEST(FullDisk, FailsCommitsWithTheNextStepAndKeepsWhatWasDone) {
  TempDir dir;
  const int code = run_in_process([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
      return skipped;
    }
    auto store = open_or_die(dir.path());
    const fs::path ballast = dir.path() / "ballast";
    std::ofstream(ballast) << std::string(1 << 20, 'x');
    Result<void> failed;
    const SubjectId done = fill(*store, failed);
    if (failed || failed.error().code != ErrorCode::io || !says(failed.error(), "cape.db") ||
        !says(failed.error(), "make room")) {
      return 1;
    }
    if (store->range("history", "", "", 2'000'000)->size() != done) return 2;

    fs::remove(ballast);
    if (!commit(*store, many(done + 1, 10, 1))) return 3;
    store.reset();
    return open_or_die(dir.path())->range("history", "", "", 2'000'000)->size() == done + 10 ? 0 : 4;
  });
  if (code == skipped) GTEST_SKIP() << "needs root, to mount a small file system";
  EXPECT_EQ(code, 0);
}

TEST(FileSizeLimit, FailsCommitsAndKeepsWhatWasDone) {
  TempDir dir;
  const int code = run_in_process([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto store = open_or_die(dir.path());
    const rlimit limit{.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return skipped;
    Result<void> failed;
    const SubjectId done = fill(*store, failed);
    if (failed || failed.error().code != ErrorCode::io || !says(failed.error(), "make room")) return 1;
    return store->range("history", "", "", 2'000'000)->size() == done ? 0 : 2;
  });
  if (code == skipped) GTEST_SKIP() << "cannot limit file sizes here";
  EXPECT_EQ(code, 0);
}

TEST(ReadOnlyDirectory, IsRefusedWithTheNextStep) {
  if (!test::can_be_another_user()) GTEST_SKIP() << "needs root, to become a user without rights";
  TempDir dir;
  const int code = run_in_process(
      [&] {
        const auto store = open_sqlite_store(dir.path());
        const bool clear = !store && store.error().code == ErrorCode::io && says(store.error(), "cape.db") &&
                           says(store.error(), "let this user write");
        return clear ? 0 : 1;
      },
      65534);
  EXPECT_EQ(code, 0);
}

class BrokenStore : public testing::TestWithParam<const char*> {};

// Commits go on for at most a second, and then none counts as done.
TEST_P(BrokenStore, DeletedFileStopsCommitsAndIsNamed) {
  TempDir dir;
  auto store = open_or_die(dir.path());
  ASSERT_TRUE(commit(*store, many(1, 10, 1)));
  fs::remove(dir.path() / GetParam());
  const std::int64_t start_ns = boot_ns();

  Result<void> last;
  SubjectId id = 100;
  while (last && boot_ns() - start_ns < 10 * ns_per_s) last = commit(*store, many(++id, 1, 1));

  ASSERT_FALSE(last) << "no commit failed in 10 s";
  EXPECT_EQ(last.error().code, ErrorCode::io);
  EXPECT_TRUE(says(last.error(), (dir.path() / GetParam()).string()));
  EXPECT_TRUE(says(last.error(), "start again"));
  EXPECT_FALSE(commit(*store, many(++id, 1, 1))) << "it stays failed";
}
INSTANTIATE_TEST_SUITE_P(Files, BrokenStore, testing::Values("cape.db", "cape.db-wal"),
                         [](const auto& parameter) {
                           return std::string(parameter.param) == "cape.db" ? "database" : "log";
                         });

TEST(StoreOpen, IsRefusedWhereTheFileWasDeletedAndKeepsItsLogUntilItIsBack) {
  TempDir dir;
  const fs::path file = dir.path() / "cape.db", away = dir.path() / "away";
  {
    auto store = open_or_die(dir.path());
    ASSERT_TRUE(commit(*store, many(1, 10, 1)));
    fs::rename(file, away);
  }

  const auto refused = open_sqlite_store(dir.path());

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::io);
  EXPECT_TRUE(says(refused.error(), file.string() + " was deleted while it was in use"));
  EXPECT_FALSE(fs::exists(file));
  fs::rename(away, file);
  EXPECT_EQ(open_or_die(dir.path())->range("history", "", "", 100)->size(), 10u);
}

void expect_refused(const fs::path& dir, ErrorCode code, std::string_view text) {
  for (const auto& opened : {open_sqlite_store(dir), open_sqlite_store_read_only(dir)}) {
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
    EXPECT_TRUE(says(opened.error(), text));
    EXPECT_TRUE(says(opened.error(), (dir / "cape.db").string()));
  }
}

TEST(StoreOpen, RefusesAFileThatIsNoDatabase) {
  TempDir dir;
  std::ofstream(dir.path() / "cape.db") << std::string(8192, 'x');

  expect_refused(dir.path(), ErrorCode::io, "restore it from a backup");
}

TEST(StoreOpen, RefusesADamagedSchemaPage) {
  TempDir dir;
  open_or_die(dir.path());
  std::fstream file(dir.path() / "cape.db", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(1000, '\xff');
  file.close();

  expect_refused(dir.path(), ErrorCode::io, "restore it from a backup");
}

TEST(StoreOpen, LeavesADatabaseThatIsNotItsOwnAlone) {
  TempDir dir;
  RawDb(dir.path() / "cape.db").run("CREATE TABLE theirs(x)");

  expect_refused(dir.path(), ErrorCode::invalid, "not a cursor store");
  EXPECT_EQ(RawDb(dir.path() / "cape.db").value("SELECT group_concat(name) FROM sqlite_schema"), "theirs");
}

TEST(StoreOpen, RefusesASchemaNewerThanItKnows) {
  TempDir dir;
  open_or_die(dir.path());
  RawDb(dir.path() / "cape.db").run("PRAGMA user_version = 99");

  expect_refused(dir.path(), ErrorCode::invalid, "newer Cape");
  EXPECT_EQ(RawDb(dir.path() / "cape.db").value("SELECT value FROM meta WHERE key = 'epoch'"), "1")
      << "a refused open changes nothing";
}

TEST(StoreOpen, RefusesAnEpochThatJobIdsCannotHold) {
  TempDir dir;
  open_or_die(dir.path());
  RawDb(dir.path() / "cape.db").run("UPDATE meta SET value = 16777215 WHERE key = 'epoch'");

  const auto store = open_sqlite_store(dir.path());

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::limit);
}

TEST(StoreRead, NamesADamagedRecordAndReadsTheOthers) {
  TempDir dir;
  auto store = open_or_die(dir.path());
  ASSERT_TRUE(commit(*store, many(1, 3, 1)));
  ASSERT_EQ(RawDb(dir.path() / "cape.db").run("UPDATE cursor_info SET record = x'c1' WHERE id = 2"), "");

  const auto damaged = store->load("history", "subject/2");

  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::io);
  EXPECT_TRUE(says(damaged.error(), "record 2 (history 'subject/2')"));
  EXPECT_TRUE(store->load("history", "subject/3")->has_value());
}

TEST(StoreRead, DamagedPagesAreErrorsNotCrashes) {
  TempDir dir;
  {
    auto store = open_or_die(dir.path());
    ASSERT_TRUE(commit(*store, many(1, 2000, 1)));
  }
  const auto pages = fs::file_size(dir.path() / "cape.db") / 4096;
  ASSERT_GT(pages, 10u);
  std::fstream file(dir.path() / "cape.db", std::ios::in | std::ios::out | std::ios::binary);
  for (std::uintmax_t page = 8; page < pages; ++page) {
    file.seekp(static_cast<std::streamoff>(page * 4096));
    file << std::string(4096, '\xa5');
  }
  file.close();

  auto store = open_sqlite_store(dir.path());

  if (!store) {
    EXPECT_EQ(store.error().code, ErrorCode::io);
    return;
  }
  const auto all = (*store)->range("history", "", "", 5000);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::io);
  const Result<void> written = commit(**store, many(1, 2000, 2));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::io);
  EXPECT_TRUE(says(written.error(), "restore it from a backup"));
}

TEST(StoreIdle, WakesNoThreadOnceEverythingIsOnDisk) {
  const int code = run_in_process([] {
    const fs::path threads = "/proc/self/task";
    // This thread, and under ThreadSanitizer one of its own, which begins with our first and wakes all the
    // time.
    std::thread([] {}).join();
    std::set<fs::path> not_of_the_store;
    for (const auto& thread : fs::directory_iterator(threads)) not_of_the_store.insert(thread.path());
    TempDir dir;
    auto store = open_or_die(dir.path());
    if (!commit(*store, many(1, 10, 1))) return 1;
    const auto switches = [&] {
      long sum = 0;
      for (const auto& thread : fs::directory_iterator(threads)) {
        if (not_of_the_store.contains(thread.path())) continue;
        std::ifstream status(thread.path() / "status");
        for (std::string word; status >> word;) {
          long count = 0;
          if (word == "voluntary_ctxt_switches:" && status >> count) sum += count;
        }
      }
      return sum;
    };
    // Not a race hidden by a sleep: the time itself is what is measured. The first wait lets the late sync
    // pass.
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    const long before = switches();
    if (before == 0) return 3;  // no thread of the store was seen
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    const long during = switches() - before;
    if (during > 0) std::fprintf(stderr, "%ld context switches in an idle second\n", during);
    return during == 0 ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace cape::storage
