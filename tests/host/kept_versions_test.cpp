// Plugin bytes that are kept on disk for the next start.
#include "host/worker/kept_versions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tests/host/temp_dir.hpp"

namespace cape::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

child::PluginImagePtr image_of(const std::string& hash, const std::string& bytes) {
  auto image = std::make_shared<child::PluginImage>();
  image->memfd = UniqueFd{::memfd_create("image", MFD_CLOEXEC)};
  EXPECT_EQ(::write(image->memfd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  image->hash = hash;
  image->id = "p";
  image->version = "1";
  image->bytes = bytes.size();
  return image;
}

class KeptVersionsTest : public testing::Test {
 protected:
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir())) names.insert(entry.path().filename());
    return names;
  }
  std::string text_of(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(dir() / name, std::ios::binary).rdbuf();
    return text.str();
  }
  fs::path dir() const { return temp_.path() / "kept"; }
  void finish(KeptVersions& kept) {
    for (int i = 0; i < 100 && kept.busy(); ++i) kept.step();
    ASSERT_FALSE(kept.busy());
  }
  test::TempDir temp_;
};

TEST_F(KeptVersionsTest, WritesWhatIsNamedWhole) {
  const std::string large(5'000'001, 'x');
  KeptVersions kept(dir());
  kept.keep({"aa", "bb"}, {image_of("aa", "bytes"), image_of("bb", large)});
  finish(kept);

  EXPECT_THAT(files(), ElementsAre("aa.so", "bb.so"));
  EXPECT_EQ(text_of("aa.so"), "bytes");
  EXPECT_EQ(text_of("bb.so"), large);
}

TEST_F(KeptVersionsTest, WorksInSlices) {
  KeptVersions kept(dir());
  kept.keep({"aa"}, {image_of("aa", std::string(5'000'000, 'x'))});
  kept.step();

  EXPECT_TRUE(kept.busy()) << "a loop that serves others is not held up by a large file";
  EXPECT_THAT(files(), ElementsAre(".part")) << "nobody takes half of it for the whole";
}

TEST_F(KeptVersionsTest, RemovesWhatIsNotNamedAnyMore) {
  KeptVersions kept(dir());
  kept.keep({"aa", "bb"}, {image_of("aa", "a"), image_of("bb", "b")});
  finish(kept);
  kept.keep({"bb"}, {image_of("bb", "b")});
  finish(kept);

  EXPECT_THAT(files(), ElementsAre("bb.so"));
}

TEST_F(KeptVersionsTest, LeavesWhatIsNamedAndNotFoundYet) {
  KeptVersions before(dir());
  before.keep({"aa"}, {image_of("aa", "a")});
  finish(before);
  KeptVersions after(dir());
  after.keep({"aa"}, {});  // its file is being looked at
  finish(after);

  EXPECT_THAT(files(), ElementsAre("aa.so"));
}

TEST_F(KeptVersionsTest, HalfAFileOfAnEarlierLifeGoes) {
  fs::create_directories(dir());
  std::ofstream(dir() / ".part") << "half";
  KeptVersions kept(dir());
  kept.keep({}, {});

  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(KeptVersionsTest, DirectoryThatCannotBeMadeEndsIt) {
  std::ofstream(temp_.path() / "kept") << "a file";
  KeptVersions kept(dir());
  kept.keep({"aa"}, {image_of("aa", "a")});
  finish(kept);
}

}  // namespace
}  // namespace cape::host
