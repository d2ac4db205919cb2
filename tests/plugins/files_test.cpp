// The event source `files`: what it tells of each change, and of what was changed while it was down.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

using Files = WatchedFiles;

TEST_F(Files, JournalsWhatIsThereAtTheFirstStart) {
  write("a.txt", "hello");
  fs::create_directories(at("docs/deep"));
  write("docs/b.txt", "b");
  write("docs/deep/c.txt", "c");

  EXPECT_THAT(lines(), UnorderedElementsAre("created a.txt", "dir_created docs", "created docs/b.txt",
                                            "dir_created docs/deep", "created docs/deep/c.txt"));
  EXPECT_THAT(subjects(), ElementsAre(".", "docs", "docs/deep"));
  EXPECT_EQ(told()[0].payload["name"], "a.txt");
  EXPECT_EQ(told()[0].payload["kind"], "file");
  EXPECT_EQ(told()[0].payload["size"], 5);
  EXPECT_GT(told()[0].payload["mtime_ns"], 0);
}

TEST_F(Files, JournalsAndPingsEachChangeAsItHappens) {
  source();

  write("a.txt", "one");
  ASSERT_TRUE(comes("created a.txt"));
  write("a.txt", "two!");
  ASSERT_TRUE(comes("written a.txt"));
  fs::permissions(at("a.txt"), fs::perms::owner_read);
  ASSERT_TRUE(comes("metadata a.txt"));
  fs::create_directory(at("sub"));
  ASSERT_TRUE(comes("dir_created sub"));
  write("sub/b.txt", "b");
  ASSERT_TRUE(comes("created sub/b.txt"));
  fs::remove(at("a.txt"));
  ASSERT_TRUE(comes("deleted a.txt"));

  EXPECT_THAT(host_.pings_now(), Contains(StartsWith("sub ")));
  EXPECT_THAT(host_.pings_now(), Contains(StartsWith(". ")));
}

TEST_F(Files, RenameNamesItsOtherEndInBothDirectories) {
  write("a.txt", "a");
  fs::create_directory(at("sub"));
  source();
  const std::int64_t before = newest();

  fs::rename(at("a.txt"), at("sub/b.txt"));

  ASSERT_TRUE(comes("renamed_to sub/b.txt a.txt", before));
  EXPECT_THAT(lines(before), ElementsAre("renamed_from a.txt sub/b.txt", "renamed_to sub/b.txt a.txt"));
}

TEST_F(Files, SaveByRenameOverTheOldFileIsARename) {
  write("a.txt", "old");
  source();
  const std::int64_t before = newest();
  write("a.txt.new", "new");
  ASSERT_TRUE(comes("created a.txt.new", before));

  fs::rename(at("a.txt.new"), at("a.txt"));

  ASSERT_TRUE(comes("renamed_to a.txt a.txt.new", before));
}

TEST_F(Files, MovedDirectoryIsToldForEverythingInIt) {
  fs::create_directories(at("a/in"));
  write("a/x", "x");
  write("a/in/y", "y");
  source();
  const std::int64_t before = newest();

  fs::rename(at("a"), at("b"));

  ASSERT_TRUE(comes("renamed_to b/in/y a/in/y", before));
  EXPECT_THAT(lines(before), UnorderedElementsAre("dir_renamed_from a b", "dir_renamed_to b a",
                                                  "renamed_from a/x b/x", "renamed_to b/x a/x",
                                                  "dir_renamed_from a/in b/in", "dir_renamed_to b/in a/in",
                                                  "renamed_from a/in/y b/in/y", "renamed_to b/in/y a/in/y"));
  write("b/in/z", "z");
  EXPECT_TRUE(comes("created b/in/z", before)) << "it is watched under its new name";
}

TEST_F(Files, DirectoryMovedOutOfTheTreeIsDeletedWithEverythingInIt) {
  fs::create_directories(at("a/in"));
  write("a/in/y", "y");
  source();
  const std::int64_t before = newest();

  fs::rename(at("a"), dir_ / "outside");

  ASSERT_TRUE(comes("dir_deleted a", before));
  EXPECT_THAT(lines(before), ElementsAre("deleted a/in/y", "dir_deleted a/in", "dir_deleted a"));
}

TEST_F(Files, SwappedDirectoriesEndAsTheyAre) {
  fs::create_directories(at("a"));
  fs::create_directories(at("b"));
  write("a/x", "x");
  write("b/y", "y");
  source();
  const std::int64_t before = newest();

  fs::rename(at("a"), at("t"));
  fs::rename(at("b"), at("a"));
  fs::rename(at("t"), at("b"));

  ASSERT_TRUE(eventually([&] {
    std::map<std::string, std::string> last;
    for (const Told& one : told()) last[one.path] = one.type;
    const auto is_there = [&](const char* path) {
      return last[path] == "renamed_to" || last[path] == "created";
    };
    return is_there("b/x") && is_there("a/y") && !is_there("a/x") && !is_there("b/y");
  })) << ::testing::PrintToString(lines(before));
}

TEST_F(Files, DirectoryMovedAwayAndBackIsToldAgain) {
  fs::create_directories(at("a/in"));
  write("a/in/y", "y");
  source();
  const std::int64_t before = newest();

  fs::rename(at("a"), at("b"));
  fs::rename(at("b"), at("a"));

  EXPECT_TRUE(eventually([&] {
    const auto all = lines(before);
    return !all.empty() && (all.back() == "metadata a/in/y" || all.back() == "renamed_to a/in/y b/in/y");
  })) << "whoever looked in between found nothing: "
      << ::testing::PrintToString(lines(before));
}

TEST_F(Files, DirectoryMovedAwayAndBackWhileItWasDownIsToldAgain) {
  fs::create_directories(at("a"));
  write("a/y", "y");
  source();
  const std::int64_t before = newest();
  stop();
  fs::rename(at("a"), at("b"));
  fs::rename(at("b"), at("a"));

  EXPECT_THAT(lines(before), ElementsAre("metadata a/y"));
}

TEST_F(Files, FindsWhatChangedWhileItWasDown) {
  fs::create_directories(at("kept"));
  fs::create_directories(at("moved/in"));
  write("same", "s");
  write("changed", "1");
  write("deleted", "d");
  write("kept/renamed", "r");
  write("moved/in/f", "f");
  source();
  const std::int64_t before = newest();
  stop();

  write("changed", "22");
  fs::remove(at("deleted"));
  fs::rename(at("kept/renamed"), at("renamed"));
  fs::rename(at("moved"), at("kept/moved"));
  write("new", "n");

  EXPECT_THAT(
      lines(before),
      UnorderedElementsAre("written changed", "deleted deleted", "renamed_from kept/renamed renamed",
                           "renamed_to renamed kept/renamed", "dir_renamed_from moved kept/moved",
                           "dir_renamed_to kept/moved moved", "dir_renamed_from moved/in kept/moved/in",
                           "dir_renamed_to kept/moved/in moved/in", "renamed_from moved/in/f kept/moved/in/f",
                           "renamed_to kept/moved/in/f moved/in/f", "created new"));
}

TEST_F(Files, SameSizeAndTimeButNewContentIsAChange) {
  write("a", "one");
  source();
  const std::int64_t before = newest();
  stop();
  const auto time = fs::last_write_time(at("a"));
  write("a", "two");
  fs::last_write_time(at("a"), time);

  EXPECT_THAT(lines(before), ElementsAre("metadata a")) << "its time was put back, its ctime was not";
}

TEST_F(Files, RestartWithoutChangesJournalsNothing) {
  fs::create_directories(at("a/b"));
  write("a/b/c", "c");
  source();
  stop();
  source();
  stop();
  const std::int64_t before = newest();
  stop();

  EXPECT_THAT(lines(before), IsEmpty());
}

}  // namespace
}  // namespace cape::test
