// What grants add: directories at their own paths, as far as granted and no further.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

std::uint32_t owner_of(const fs::path& path) {
  struct stat at = {};
  return stat(path.c_str(), &at) == 0 ? at.st_uid : UINT32_MAX;
}

TEST(Grants, ReadDirectoryIsSeenAtItsOwnPathAndCannotBeWritten) {
  const TempDir dir;
  write_file(dir.path() / "a.txt", "hello");
  ChildSpec spec = spec_of("run paths " + dir.path().native());
  spec.grant.read = {dir.path()};

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("read " + dir.path().native(), "ok")));
  EXPECT_THAT(seen.said, Contains(Pair("create " + dir.path().native() + "/made", Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("mkdir " + dir.path().native() + "/dir", Not("ok"))));

  spec.config_json = "run read " + (dir.path() / "a.txt").native();
  EXPECT_THAT(perform(spec).said, Contains(Pair("text", "hello")));
}

// As root's child of a grant it owns the one, and every child of its host has the other.
TEST(Grants, NeitherTheNullDeviceNorTheSharedLockCanBeChanged) {
  const TempDir dir;
  const fs::path lock = dir.path() / "lock";
  write_file(lock, "");
  const UniqueFd life(open(lock.c_str(), O_RDWR | O_CLOEXEC));
  const auto try_call = [&](long number, const std::string& arguments) {
    ChildSpec spec = spec_of(fmt::format("run call {} {}", number, arguments));
    spec.grant.read = {dir.path()};
    spec.life_fd = life.get();
    return perform(spec).said["call"];
  };
  struct stat before = {};
  ASSERT_EQ(stat("/dev/null", &before), 0);

  for (const int fd : {0, 1, static_cast<int>(fd_life)}) {
    EXPECT_EQ(try_call(SYS_fchmod, fmt::format("{} 0666", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_ftruncate, fmt::format("{} 4096", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_fallocate, fmt::format("{} 0 0 4096", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_utimensat, fmt::format("{} 0 0 0", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_dup, fmt::format("{}", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_dup2, fmt::format("{} 12", fd)), "EPERM") << fd;
    EXPECT_EQ(try_call(SYS_fcntl, fmt::format("{} {} 12", fd, F_DUPFD)), "EPERM") << fd;
  }
  EXPECT_EQ(try_call(SYS_lseek, fmt::format("{} 17 0", static_cast<int>(fd_life))), "EPERM");
  EXPECT_EQ(try_call(SYS_pread64, fmt::format("{} 0 0 0", static_cast<int>(fd_life))), "EPERM");
  EXPECT_EQ(try_call(SYS_pwrite64, fmt::format("{} 0 0 0", static_cast<int>(fd_life))), "EPERM");
  struct stat after = {};
  ASSERT_EQ(stat("/dev/null", &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
}

TEST(Grants, SiblingsOfAGrantedDirectoryAreNotThere) {
  const TempDir dir;
  fs::create_directories(dir.path() / "granted");
  write_file(dir.path() / "secret", "x");
  ChildSpec spec = spec_of("run paths " + (dir.path() / "secret").native() + " /etc/passwd");
  spec.grant.read = {dir.path() / "granted"};

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("read " + (dir.path() / "secret").native(), Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("read /etc/passwd", Not("ok"))));
}

TEST(Grants, SymlinkOutOfAGrantLeadsNowhere) {
  const TempDir dir;
  fs::create_symlink("/etc/passwd", dir.path() / "link");
  ChildSpec spec = spec_of("run read " + (dir.path() / "link").native());
  spec.grant.read = {dir.path()};

  EXPECT_THAT(perform(spec).said, Contains(Pair("text", testing::AnyOf("ENOENT", "EACCES"))));
}

TEST(Grants, CodeDirectoryLetsLibrariesBeMappedAndNothingBeWritten) {
  const TempDir dir;
  write_file(dir.path() / "library.so", std::string(4096, 'x'));
  fs::permissions(dir.path(), fs::perms(0755));  // as those of libraries are: their reader is nobody there
  ChildSpec spec = spec_of("map " + (dir.path() / "library.so").native());

  spec.grant.read = {dir.path()};
  EXPECT_THAT(perform(spec).said, Contains(Pair("map", "EPERM"))) << "what is granted for reading is no code";

  spec.grant = {};
  spec.grant.code = {dir.path()};
  EXPECT_THAT(perform(spec).said, Contains(Pair("map", "ok")));

  spec.config_json = "paths " + dir.path().native();
  const Seen seen = perform(spec);
  EXPECT_THAT(seen.said, Contains(Pair("read " + dir.path().native(), "ok")));
  EXPECT_THAT(seen.said, Contains(Pair("create " + dir.path().native() + "/made", Not("ok"))));
}

TEST(Grants, CodeIsMappedUntilTheFirstEventAlone) {
  const TempDir dir;
  write_file(dir.path() / "library.so", std::string(4096, 'x'));
  fs::permissions(dir.path(), fs::perms(0755));  // as those of libraries are: their reader is nobody there
  ChildSpec spec = spec_of("run map " + (dir.path() / "library.so").native());
  spec.grant.code = {dir.path()};

  expect_violation(perform(spec), "mmap");
}

TEST(Grants, MissingDirectoryEndsInSetupThatNamesIt) {
  ChildSpec spec = spec_of("report");
  spec.grant.read = {"/tmp", "/nonexistent/granted"};

  const Seen seen = perform(spec);

  EXPECT_EQ(seen.last_kind, 1u);
  EXPECT_THAT(seen.last_text, HasSubstr("/nonexistent/granted"));
}

TEST(Grants, WholeMachineCannotBeGranted) {
  ChildSpec spec = spec_of("report");
  spec.grant.read = {"/"};

  const Seen seen = perform(spec);

  EXPECT_EQ(seen.last_kind, 1u);
  EXPECT_THAT(seen.last_text, HasSubstr("name a directory below /"));
}

TEST(Grants, StateDirectoryServesALogAndNoSetUserIdFileIsLeftThere) {
  const TempDir dir;
  const fs::path state = dir.path() / "state" / "audit" / "write";
  ChildSpec spec = spec_of("run directory " + state.native());
  spec.grant.state = true;
  spec.state_dir = state;

  const Seen seen = perform(spec);

  for (const char* what : {"append", "cut", "sync", "lock", "rename", "mkdir", "watch"})
    EXPECT_THAT(seen.said, Contains(Pair(what, "ok")));
  EXPECT_THAT(seen.said, Contains(Pair("names", "old.jsonl sub")));
  for (const char* what : {"set-user-id", "chmod set-user-id", "device"})
    EXPECT_THAT(seen.said, Contains(Pair(what, Not("ok"))));
  EXPECT_EQ(fs::file_size(state / "old.jsonl"), 3u);
}

TEST(Grants, StateKeepsItsUnusedOwnerFromChildToChild) {
  if (geteuid() != 0) GTEST_SKIP() << "only a host that is root gives children an id of their own";
  const TempDir dir;
  ChildSpec spec = spec_of("run directory " + (dir.path() / "state").native());
  spec.grant.state = true;
  spec.state_dir = dir.path() / "state";

  const Seen first = perform(spec);
  const std::uint32_t owner = owner_of(spec.state_dir / "old.jsonl");
  const Seen second = perform(spec);

  EXPECT_GE(owner, 1'000'000'000u);
  EXPECT_EQ(owner_of(spec.state_dir), owner);
  EXPECT_THAT(second.said, Contains(Pair("append", "ok")));
  EXPECT_EQ(owner_of(spec.state_dir / "old.jsonl"), owner);
  EXPECT_THAT(first.said, Contains(Pair("append", "ok")));
}

TEST(Grants, ChildIsTheOwnerOfItsFirstGrant) {
  if (geteuid() != 0) GTEST_SKIP() << "only a host that is root can be somebody else";
  const TempDir dir;
  fs::create_directories(dir.path() / "private");
  ASSERT_EQ(chown((dir.path() / "private").c_str(), 12345, 12345), 0);
  ASSERT_EQ(chmod((dir.path() / "private").c_str(), 0700), 0);
  ChildSpec spec = spec_of("run directory " + (dir.path() / "private").native());
  spec.grant.write = {dir.path() / "private"};

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("append", "ok")));
  EXPECT_EQ(owner_of(dir.path() / "private" / "old.jsonl"), 12345u);
}

TEST(Grants, UidZeroAsOwnerOfAGrantGivesNoPowerOverOthers) {
  if (geteuid() != 0) GTEST_SKIP() << "the host is not root";
  const TempDir dir;
  fs::create_directories(dir.path() / "granted" / "closed");
  ASSERT_EQ(chown((dir.path() / "granted" / "closed").c_str(), 12345, 12345), 0);
  ASSERT_EQ(chmod((dir.path() / "granted" / "closed").c_str(), 0700), 0);
  ChildSpec spec = spec_of("run paths " + (dir.path() / "granted" / "closed").native());
  spec.grant.write = {dir.path() / "granted"};

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("read " + (dir.path() / "granted" / "closed").native(), "EACCES")));
}

TEST(Grants, WorkingDirectoryIsTheGrantedOneItLiesIn) {
  const TempDir dir;
  write_file(dir.path() / "a.txt", "relative");
  ChildSpec spec = spec_of("run read a.txt");
  spec.grant.read = {dir.path()};
  spec.config_dir = dir.path();

  EXPECT_THAT(perform(spec).said, Contains(Pair("text", "relative")));
}

TEST(Grants, WritableDirectoryInsideAReadableOneIsWritable) {
  const TempDir dir;
  fs::create_directories(dir.path() / "out");
  ChildSpec spec = spec_of("run paths " + dir.path().native() + " " + (dir.path() / "out").native());
  spec.grant.read = {dir.path()};
  spec.grant.write = {dir.path() / "out"};

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("create " + dir.path().native() + "/made", Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("create " + (dir.path() / "out").native() + "/made", "ok")));
}

TEST(Grants, SqliteWritesInWalModeInItsStateDirectory) {
  const TempDir dir;
  ChildSpec spec = spec_of("run sqlite " + (dir.path() / "state" / "x.db").native() + " rw");
  spec.grant.state = true;
  spec.state_dir = dir.path() / "state";

  const Seen seen = perform(spec);

  EXPECT_THAT(seen.said, Contains(Pair("mode", "wal")));
  EXPECT_THAT(seen.said, Contains(Pair("insert", "")));
  EXPECT_THAT(seen.said, Contains(Pair("checkpoint", "0")));
  EXPECT_THAT(seen.said, Contains(Pair("count", "7")));
}

TEST(Grants, SqliteReadsAWalDatabaseThatItsOwnerHoldsOpen) {
  const TempDir dir;
  const fs::path file = dir.path() / "events.db";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(n); INSERT INTO t VALUES (28069)", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  ChildSpec spec = spec_of("run sqlite " + file.native() + " ro");
  spec.grant.read = {dir.path()};

  const Seen seen = perform(spec);
  sqlite3_close(db);

  EXPECT_THAT(seen.said, Contains(Pair("open", "ok")));
  EXPECT_THAT(seen.said, Contains(Pair("count", "28069")));
}

TEST(Grants, NoMountOfAChildIsLeft) {
  const TempDir dir;
  ChildSpec spec = spec_of("report");
  spec.grant.write = {dir.path()};

  perform(spec);

  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) EXPECT_THAT(line, Not(HasSubstr(dir.path().native())));
}

// ---- the way without namespaces: landlock and seccomp alone

ChildSpec without_walls(const std::string& act) {
  ChildSpec spec = spec_of(act);
  spec.require_level = 'C';
  return spec;
}

TEST(WithoutNamespaces, LevelIsCAndTheReasonIsNamed) {
  const Seen seen = perform_without_namespaces(without_walls("report"));

  EXPECT_THAT(seen.said, Contains(Pair("level", "C")));
  EXPECT_THAT(seen.said, Contains(Pair("missing", HasSubstr("userns: "))));
  EXPECT_THAT(seen.said, Contains(Pair("layers", HasSubstr("landlock:"))));
  EXPECT_THAT(seen.said, Contains(Pair("fds", "0 1 2 3 6 9")));
}

TEST(WithoutNamespaces, LevelBIsRefused) {
  ChildSpec spec = spec_of("report");
  spec.require_level = 'B';

  EXPECT_THAT(perform_without_namespaces(spec).last_text, HasSubstr("below the required level B"));
}

TEST(WithoutNamespaces, FilesOfTheMachineCannotBeOpened) {
  const Seen seen = perform_without_namespaces(without_walls("paths /etc/passwd /tmp"));

  EXPECT_THAT(seen.said, Contains(Pair("read /etc/passwd", "EACCES")));
  EXPECT_THAT(seen.said, Contains(Pair("create /tmp/made", "EACCES")));
}

TEST(WithoutNamespaces, PluginIsReadThroughItsDescriptor) {
  const Seen seen = perform_without_namespaces(without_walls("read /proc/self/fd/6"));

  EXPECT_THAT(seen.said, Contains(Pair("text", "not a library")));
}

TEST(WithoutNamespaces, GrantsHoldByLandlock) {
  const TempDir dir;
  ChildSpec spec = without_walls("run paths " + dir.path().native() + " /etc");
  spec.grant.write = {dir.path()};

  const Seen seen = perform_without_namespaces(spec);

  EXPECT_THAT(seen.said, Contains(Pair("create " + dir.path().native() + "/made", "ok")));
  EXPECT_THAT(seen.said, Contains(Pair("create /etc/made", "EACCES")));
  EXPECT_THAT(seen.said, Contains(Pair("read /etc", "EACCES")));
}

TEST(WithoutNamespaces, SocketIsAViolation) {
  expect_violation(perform_without_namespaces(without_walls("run call 41 2 1 0")), "socket");
}

TEST(WithoutNamespaces, OnlyItsOwnThreadsGetSignals) {
  const Seen seen =
      perform_without_namespaces(without_walls("run call 234 " + std::to_string(getpid()) + " " +
                                               std::to_string(getpid()) + " 0"));  // tgkill

  EXPECT_THAT(seen.said, Contains(Pair("call", "ENOSYS")));
}

}  // namespace
}  // namespace cape::child
