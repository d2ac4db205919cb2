// The event source `files` at its edges: what it leaves out, odd names, overflow, pruning, mistakes of the
// config.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

#include "tests/plugins/watched_files.hpp"

namespace cape::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using FilesLimits = WatchedFiles;

TEST_F(FilesLimits, NeverLooksIntoCapesOwnDataDirectory) {
  host_.config["root"] = dir_.path().string();  // data/ and tree/ lie in it
  write_file(data() / "cape.db", "x");
  source();
  write_file(data() / "another.db", "x");
  write("seen.txt", "s");
  ASSERT_TRUE(comes("created tree/seen.txt"));

  EXPECT_THAT(lines(), Not(Contains(HasSubstr("data"))));
  EXPECT_THAT(subjects(), ElementsAre(".", "tree"));
}

TEST_F(FilesLimits, IgnoredNamesAreNotLookedAt) {
  json_ = R"({"ignore":[".git"]})";
  fs::create_directories(at(".git/objects"));
  fs::create_directories(at("sub/.git"));
  write("sub/.git/x", "x");
  write("sub/y", "y");

  EXPECT_THAT(lines(), UnorderedElementsAre("dir_created sub", "created sub/y"));
}

TEST_F(FilesLimits, SymbolicLinksAreToldAndNotFollowed) {
  fs::create_directories(dir_ / "secret");
  write_file(dir_ / "secret" / "s", "s");
  fs::create_directory_symlink(dir_ / "secret", at("link"));

  EXPECT_THAT(lines(), ElementsAre("created link"));
  EXPECT_EQ(told()[0].payload["kind"], "symlink");
}

TEST_F(FilesLimits, LongAndIllFormedDirectoriesAreHashedAndNamedInThePayload) {
  const std::string part(100, 'p');
  fs::create_directories(at(part + "/" + part + "/" + part));
  write(part + "/" + part + "/" + part + "/long.txt", "l");
  fs::create_directories(at("bad\xff"));
  write("bad\xff/b.txt", "b");

  std::vector<std::string> hashed;
  for (const std::string& subject : subjects())
    if (subject[0] == '#') hashed.push_back(subject);
  ASSERT_EQ(hashed.size(), 2u);
  for (const std::string& subject : hashed) {
    EXPECT_EQ(subject.size(), 33u);
    EXPECT_EQ(subject.find_first_not_of("0123456789abcdef", 1), std::string::npos);
  }
  std::set<std::string> names;
  for (const Told& one : told())
    if (one.subject[0] == '#') names.insert(one.payload.value("path", one.payload.value("path_base64", "")));
  EXPECT_EQ(names, (std::set<std::string>{part + "/" + part + "/" + part + "/long.txt", "YmFk/y9iLnR4dA=="}));
}

TEST_F(FilesLimits, QueueOverflowIsMadeGood) {
  source();
  const std::int64_t before = newest();
  // More notifications than the queue holds (fs.inotify.max_queued_events), faster than they are read.
  std::size_t queue = 16'384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  if (queue > 100'000) GTEST_SKIP() << "this machine's inotify queue holds " << queue << " events";
  for (std::size_t i = 0; i < queue; ++i) {
    const std::string path = at("f" + std::to_string(i % 1000)).string();
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(::write(fd, "x", 1), 1);
    ::close(fd);
    if (i % 1000 == 999 && i + 1000 < queue)
      for (int n = 0; n < 1000; ++n) ::unlink(at("f" + std::to_string(n)).c_str());
  }
  write("last", "l");

  ASSERT_TRUE(comes("created last", before));
  ASSERT_TRUE(eventually([&] {
    std::map<std::string, std::string> last;
    for (const Told& one : told()) last[one.path] = one.type;
    for (const auto& entry : fs::directory_iterator(tree()))
      if (last[entry.path().filename()].empty() || last[entry.path().filename()] == "deleted") return false;
    for (const auto& [path, type] : last)
      if (type != "deleted" && !fs::exists(at(path))) return false;
    return true;
  }));
}

// In a user namespace of its own, as every child has one, a process can be given few watches alone.
bool allow_watches(int watches) {
  const uid_t uid = ::geteuid();
  if (::unshare(CLONE_NEWUSER) != 0) return false;
  std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  std::ofstream limit("/proc/sys/user/max_inotify_watches");
  limit << watches << std::flush;
  return limit.good();
}

TEST_F(FilesLimits, WithoutEnoughWatchesItNamesTheSysctlAndComparesAgain) {
  const pid_t child = ::fork();  // has one thread, as a change of namespace needs
  if (child == 0) {
    if (!allow_watches(1)) ::_exit(2);
    fs::create_directories(at("a/b"));
    source();
    write("a/b/c", "c");
    const bool found = comes("created a/b/c");
    bool said = false;
    for (const std::string& line : host_.logs_now())
      said |= line.find("fs.inotify.max_user_watches") != std::string::npos;
    stop();
    ::_exit(found && said ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
    GTEST_SKIP()
        << "this machine refuses user namespaces, or ThreadSanitizer has given the child a second thread";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(FilesLimits, LatestIsNeverBelowAnEventThatComesLater) {
  source();
  std::int64_t bound = 0;
  for (int i = 0; i < 20; ++i) {
    write("f" + std::to_string(i), "x");
    FakeCall call;
    std::int64_t now = 0;
    const cape_status status = source().latest(call, ".", now);
    if (status == CAPE_NOT_FOUND) continue;
    EXPECT_GE(now, bound);
    FakeCall events;
    const QueryResult later = source().query(events, ".", bound + 1, 1'000);
    for (const SeenEvent& event : events.events) EXPECT_GT(event.sequence, bound);
    bound = later.latest;
  }
}

TEST_F(FilesLimits, KeepsAtMostEventsMaxAndTheLastOfEveryFile) {
  host_.config["events_max"] = "1000";
  write("stays", "s");
  source();
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 1'000; ++i)
      write("f" + std::to_string(i), std::string(static_cast<std::size_t>(round + 1), 'x'));
    ASSERT_TRUE(eventually([&] {
      std::size_t seen = 0;
      for (const Told& one : told()) seen += one.payload["size"] == round + 1;
      return seen >= 1'000;
    }));
  }

  const std::vector<std::string> all = lines();
  EXPECT_THAT(all, Contains("created stays"));
  EXPECT_LE(all.size(), 3'200u) << "of 4,001 events or more";
}

TEST_F(FilesLimits, ConfigMistakesAreNamed) {
  host_.config.clear();
  EXPECT_EQ(SourceInstance(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_).created(),
            CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs_now(), Contains(HasSubstr("'root' is missing")));
  host_.config["root"] = tree().string();
  EXPECT_EQ(
      SourceInstance(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_, R"({"ignore":"x"})").created(),
      CAPE_BAD_CONFIG);
  host_.grant_state("");
  EXPECT_EQ(SourceInstance(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_).created(),
            CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs_now(), Contains(HasSubstr("state = true")));
}

TEST_F(FilesLimits, MissingRootIsSaidAndTriedAgain) {
  fs::remove_all(tree());
  source_.emplace(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_, json_);
  ASSERT_TRUE(eventually([&] { return !host_.logs_now().empty(); }));
  EXPECT_THAT(host_.logs_now(), Contains(HasSubstr("cannot be opened")));
  EXPECT_EQ(scan_status(), CAPE_RETRY);

  fs::create_directories(tree());
  write("a", "a");
  EXPECT_TRUE(eventually([&] { return scan_status() == CAPE_OK; }));
  EXPECT_THAT(lines(), ElementsAre("created a"));
}

}  // namespace
}  // namespace cape::test
