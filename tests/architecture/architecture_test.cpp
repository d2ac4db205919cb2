// The folders' include arrows and file lengths, over the whole tree; and the test of that test.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "tests/architecture/include_arrows.hpp"

namespace cape::architecture {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Architecture, ArrowsRunOneWayAndFilesStayShort) {
  std::size_t files = 0;

  const auto mistakes = tree_mistakes(CAPE_SOURCE_DIR, files);

  EXPECT_GT(files, 20u) << "the tree was not found below " << CAPE_SOURCE_DIR;
  for (const std::string& mistake : mistakes) ADD_FAILURE() << mistake;
}

TEST(Architecture, TableHasNoCircle) {
  std::vector<std::string_view> above;
  for (const Folder& folder : folders()) {
    for (const std::string_view include : folder.includes)
      EXPECT_THAT(above, testing::Contains(include))
          << folder.path << " names a folder that does not stand above it";
    above.push_back(folder.path);
  }
}

TEST(Architecture, EveryFolderOfTheTableExists) {
  for (const Folder& folder : folders())
    EXPECT_TRUE(fs::is_directory(fs::path(CAPE_SOURCE_DIR) / folder.path)) << folder.path;
}

TEST(IncludeArrows, ForbiddenIncludeIsNamedWithItsLine) {
  EXPECT_THAT(include_mistakes("core/clock.cpp", "// clock\n#include \"wire/messages.hpp\"\n"),
              ElementsAre(HasSubstr("core/clock.cpp:2: core may not include wire")));
  EXPECT_THAT(include_mistakes("storage/x.cpp", "  #  include   \"broker/loop.hpp\"  // why\n"),
              ElementsAre("storage/x.cpp:1: storage may not include broker: \"broker/loop.hpp\""));
  EXPECT_THAT(include_mistakes("core/x.hpp", "#include <wire/messages.hpp>\n"),
              ElementsAre(HasSubstr("wire")));
}

TEST(IncludeArrows, BrokerSeesTheChildAndNothingElseOfTheHost) {
  EXPECT_THAT(include_mistakes("broker/loop.cpp", "#include \"host/child/source_child.hpp\"\n"), IsEmpty());
  EXPECT_THAT(include_mistakes("broker/loop.cpp", "#include \"host/worker/worker.hpp\"\n"),
              ElementsAre(HasSubstr("broker may not include host/worker")));
}

TEST(IncludeArrows, SchedulerDoesNotReachItsBroker) {
  EXPECT_THAT(
      include_mistakes("broker/scheduler/scheduler.cpp", "#include \"broker/tracker/vicinity.hpp\"\n"),
      ElementsAre(HasSubstr("broker/scheduler may not include broker")));
}

TEST(IncludeArrows, PluginsSeeTheInstalledHeadersAlone) {
  EXPECT_THAT(
      include_mistakes("plugins/audit_log/audit_log.cpp", "#include <cape/lambda.hpp>\n#include <string>\n"),
      IsEmpty());
  EXPECT_THAT(include_mistakes("plugins/audit_log/audit_log.cpp", "#include \"core/types.hpp\"\n"),
              ElementsAre(HasSubstr("plugins may not include core")));
}

TEST(IncludeArrows, PathThatIsNotFromTheRootIsRefused) {
  EXPECT_THAT(include_mistakes("wire/codec.cpp", "#include \"codec.hpp\"\n"),
              ElementsAre(HasSubstr("from the root")));
  EXPECT_THAT(include_mistakes("plugins/audit_log/audit_log.cpp", "#include \"day_file.hpp\"\n"), IsEmpty());
  EXPECT_THAT(include_mistakes("plugins/audit_log/audit_log.cpp", "#include \"../journal/reader.hpp\"\n"),
              ElementsAre(HasSubstr("from the root")));
  EXPECT_THAT(include_mistakes("wire/codec.cpp", "#include \"../host/worker/worker.hpp\"\n"),
              ElementsAre(HasSubstr("from the root")));
}

TEST(IncludeArrows, LongFilesAreNamed) {
  std::string text;
  for (std::size_t i = 0; i < source_lines_max; ++i) text += "\n";
  EXPECT_THAT(length_mistakes("core/long.cpp", text), IsEmpty());

  text += "last";

  EXPECT_THAT(length_mistakes("core/long.cpp", text), ElementsAre(HasSubstr("core/long.cpp:401")));
}

TEST(IncludeArrows, MistakePlantedInATreeIsFoundThere) {
  std::string pattern = (fs::temp_directory_path() / "cape-architecture-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path root = pattern;
  for (const char* folder : {"core/deep", "build/core", ".git/core"}) fs::create_directories(root / folder);
  for (const char* folder : {"core/deep", "build/core", ".git/core"})
    std::ofstream(root / folder / "planted.hpp") << "#include \"cli/context.hpp\"\n";
  std::size_t files = 0;

  const auto mistakes = tree_mistakes(root, files);
  fs::remove_all(root);

  EXPECT_EQ(files, 1u) << "build trees and hidden folders are not ours";
  EXPECT_THAT(mistakes, ElementsAre(HasSubstr("core/deep/planted.hpp:1: core may not include cli")));
}

}  // namespace
}  // namespace cape::architecture
