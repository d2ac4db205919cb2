#include "host/child/intake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/intake_fixture.hpp"

namespace cape::child {
namespace {

using test::fake_plugin;
using test::IntakeTest;
using test::TempDir;
using test::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(IntakeTest, ServesWhatWasThereAtStartWithoutWaiting) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_TRUE(intake->settled());
}

TEST_F(IntakeTest, WaitsForAFileThatWasJustWrittenAtStart) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));

  open();
  intake->step();

  EXPECT_FALSE(intake->settled());
  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_TRUE(intake->settled());
}

TEST_F(IntakeTest, IsReadableWhenAFileIsDroppedAndServesItOnceStill) {
  open_later();
  write_file(watched / "a.so", fake_plugin("a", "1.0"));

  pollfd readable{.fd = intake->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  run();
  advance(200);
  run();
  EXPECT_THAT(served(), IsEmpty());

  advance(100);
  EXPECT_TRUE(run());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
}

TEST_F(IntakeTest, StartsTheWaitAnewWhileAFileGrows) {
  open_later();
  const std::string whole = fake_plugin("a", "1.0", std::string(1'000, 'x'));
  for (std::size_t cut = 200; cut <= whole.size(); cut += 200) {
    write_file(watched / "a.so", whole.substr(0, cut));
    run();
    advance(200);
  }
  write_file(watched / "a.so", whole);
  run();
  advance(200);
  run();
  EXPECT_THAT(intake->set_aside(), IsEmpty());
  EXPECT_EQ(inspections.started_in_all(), 0);

  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
}

TEST_F(IntakeTest, IgnoresNamesThatAreNoPlugins) {
  for (const char* name : {".a.so", "a.so.tmp", "a.so.part", "a.so~", "a.txt", "so"}) {
    write_file(watched / name, fake_plugin("a", "1.0"));
  }

  open_later();
  write_file(watched / ".b.so", fake_plugin("b", "1.0"));
  run_until_still();

  EXPECT_THAT(served(), IsEmpty());
  EXPECT_THAT(intake->set_aside(), IsEmpty());
}

TEST_F(IntakeTest, SealsTheBytesSoThatRewritingTheFileLeavesThemAlone) {
  const std::string bytes = fake_plugin("a", "1.0");
  write_file(watched / "a.so", bytes);
  open_later();
  const PluginImagePtr image = intake->serving().at(0);

  write_file(watched / "a.so", fake_plugin("a", "2.0"));

  std::string kept(image->bytes, '\0');
  EXPECT_EQ(::pread(image->memfd.get(), kept.data(), kept.size(), 0), static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(kept, bytes);
  EXPECT_LT(::pwrite(image->memfd.get(), "x", 1, 0), 0);
  EXPECT_LT(::ftruncate(image->memfd.get(), 1), 0);
}

TEST_F(IntakeTest, NamesTheBytesByTheirSha256) {
  write_file(watched / "a.so", "abc");
  open_later();

  ASSERT_EQ(intake->set_aside().size(), 1u);
  EXPECT_EQ(intake->set_aside()[0].hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(IntakeTest, ReplacesAVersionThatIsRewrittenInPlace) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();

  write_file(watched / "a.so", fake_plugin("a", "2.0"));

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 2.0"));
}

TEST_F(IntakeTest, ReplacesAVersionThatIsRenamedOver) {
  write_file(watched / "a.so", fake_plugin("a", "2.0"));
  open_later();

  write_file(watched / "a.so.tmp", fake_plugin("a", "1.0"));
  std::filesystem::rename(watched / "a.so.tmp", watched / "a.so");

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
}

TEST_F(IntakeTest, KeepsTheLastGoodBytesWhenAFileTurnsBad) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();

  write_file(watched / "a.so", fake_plugin("broken", "2.0"));

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(only_reason(), "SETUP: the entry is missing");

  write_file(watched / "a.so", fake_plugin("a", "3.0"));
  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 3.0"));
  EXPECT_THAT(intake->set_aside(), IsEmpty());
}

TEST_F(IntakeTest, StopsServingAFileThatWasRemoved) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();

  std::filesystem::remove(watched / "a.so");

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), IsEmpty());
}

TEST_F(IntakeTest, DoesNotStopServingWhileAFileIsRemovedAndWrittenAnew) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();

  std::filesystem::remove(watched / "a.so");
  run();
  advance(100);
  run();
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  write_file(watched / "a.so", fake_plugin("a", "2.0"));
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 2.0"));
}

TEST_F(IntakeTest, FallsBackToTheBuiltInPluginWhenTheWatchedOneGoes) {
  write_file(builtin / "a.so", fake_plugin("a", "9.0"));
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();
  EXPECT_THAT(served(), ElementsAre("a 1.0"));

  std::filesystem::remove(watched / "a.so");
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 9.0"));
}

TEST_F(IntakeTest, ServesTheHighestVersionOfTwoFilesAtStart) {
  write_file(watched / "x.so", fake_plugin("a", "1.10"));
  write_file(watched / "y.so", fake_plugin("a", "1.9"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.10"));
}

TEST_F(IntakeTest, ServesTheFileThatBecameStableLastWhateverItsVersion) {
  write_file(watched / "x.so", fake_plugin("a", "2.0"));
  open_later();

  write_file(watched / "y.so", fake_plugin("a", "1.0"));
  run_until_still();
  EXPECT_THAT(served(), ElementsAre("a 1.0"));

  std::filesystem::remove(watched / "y.so");
  run_until_still();
  EXPECT_THAT(served(), ElementsAre("a 2.0"));
}

TEST_F(IntakeTest, InspectsTheSameBytesUnderTwoNamesOnce) {
  write_file(watched / "x.so", fake_plugin("a", "1.0"));
  write_file(watched / "y.so", fake_plugin("a", "1.0"));
  write_file(watched / "p.so", fake_plugin("broken", "1.0"));
  write_file(watched / "q.so", fake_plugin("broken", "1.0"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(intake->set_aside().size(), 2u);
  EXPECT_EQ(inspections.started_in_all(), 2);
}

TEST_F(IntakeTest, EndsTheInspectionOfAFileThatChangesMeanwhile) {
  open_later();
  inspections.hold = true;
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  intake->step();
  advance(300);
  intake->step();
  intake->step();
  EXPECT_EQ(inspections.running, 1);

  write_file(watched / "a.so", fake_plugin("a", "2.0"));
  intake->step();
  EXPECT_EQ(inspections.running, 0);

  inspections.hold = false;
  run_until_still();
  EXPECT_THAT(served(), ElementsAre("a 2.0"));
}

TEST_F(IntakeTest, TriesAgainWhenTheSurroundingsFailed) {
  inspections.no_process = true;
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();
  EXPECT_THAT(only_reason(), HasSubstr("cannot make a process"));
  EXPECT_TRUE(intake->settled());

  inspections.no_process = false;
  advance(5'000);
  run();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_THAT(intake->set_aside(), IsEmpty());
}

TEST_F(IntakeTest, FindsChangesByItsWalkWhenEventsWereLost) {
  open_later();
  // The watched directory is replaced by one that inotify does not know.
  TempDir aside;
  std::filesystem::rename(watched.path(), aside / "old");
  std::filesystem::create_directory(watched.path());
  write_file(watched / "a.so", fake_plugin("a", "1.0"));

  run();
  advance(5'000);
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
}

TEST_F(IntakeTest, LastContentWinsAfterAThousandRewrites) {
  open_later();
  for (int i = 0; i < 1'000; ++i) {
    write_file(watched / "a.so", fake_plugin("a", "1." + std::to_string(i)));
    if (i % 3 == 0) std::filesystem::remove(watched / "a.so");
    if (i % 100 == 0) run();
  }
  write_file(watched / "a.so", fake_plugin("a", "2.0"));

  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 2.0"));
  EXPECT_EQ(inspections.started_in_all(), 1);
}

TEST_F(IntakeTest, ComesToRestAfterAThousandFilesWereDroppedAndRemoved) {
  write_file(watched / "stays.so", fake_plugin("a", "1.0"));
  open_later();
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = descriptors();
  for (int i = 0; i < 1'000; ++i) {
    const auto file = watched / ("b" + std::to_string(i % 7) + ".so");
    write_file(file, fake_plugin("b", std::to_string(i)));
    intake->step();
    std::filesystem::remove(file);
    intake->step();
  }

  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_THAT(intake->set_aside(), IsEmpty());
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(inspections.started_in_all(), 1);
}

TEST_F(IntakeTest, RenamedFileIsTheSameBytesUnderItsNewName) {
  write_file(watched / "x.so", fake_plugin("a", "1.0"));
  open_later();

  std::filesystem::rename(watched / "x.so", watched / "y.so");
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(intake->serving()[0]->file, (watched / "y.so").string());
  EXPECT_EQ(inspections.started_in_all(), 1);
  EXPECT_EQ(intake->available().size(), 1u) << "nothing was replaced";
}

TEST_F(IntakeTest, OfOneContentUnderTwoNamesEitherMayGo) {
  write_file(watched / "x.so", fake_plugin("a", "1.0"));
  open_later();
  write_file(watched / "y.so", fake_plugin("a", "1.0"));
  run_until_still();
  EXPECT_EQ(intake->serving()[0]->file, (watched / "y.so").string()) << "stable last";

  std::filesystem::remove(watched / "y.so");
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(intake->serving()[0]->file, (watched / "x.so").string());
}

TEST_F(IntakeTest, KeepsWhatWasReplacedAndRemovedForAPin) {
  write_file(watched / "x.so", fake_plugin("a", "1.0"));
  open_later();
  write_file(watched / "x.so", fake_plugin("a", "2.0"));
  run_until_still();
  std::filesystem::remove(watched / "x.so");
  run_until_still();

  std::vector<std::string> kept;
  for (const PluginImagePtr& image : intake->available()) kept.push_back(image->version);
  EXPECT_THAT(kept, ElementsAre("2.0", "1.0"));
  EXPECT_THAT(served(), IsEmpty());
}

TEST_F(IntakeTest, RefusesADirectoryThatIsNotThere) {
  const auto made = make_intake({.dirs = {watched / "missing"}, .builtin_dirs = {}},
                                {.inspector = std::make_unique<test::FakeInspector>(inspections),
                                 .clock = std::make_unique<SystemClock>()});

  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::not_found);
  EXPECT_THAT(made.error().message, HasSubstr("missing"));
}

}  // namespace
}  // namespace cape::child
