// Finding and reading the file itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "core/config/config.hpp"

namespace cape {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cape-config-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ::unsetenv("CAPE_CONFIG");
  }
  void TearDown() override {
    ::unsetenv("CAPE_CONFIG");
    fs::remove_all(directory_);
  }
  auto refused_with(const std::string& text) {
    return ElementsAre(Field(&ConfigMistake::message, HasSubstr(text)));
  }

  fs::path directory_;
};

TEST_F(ConfigFile, PathsAreRelativeToTheFileAndNotToTheWorkingDirectory) {
  std::ofstream(directory_ / "cape.toml") << "data_dir = \"d\"\n";

  const auto config = load_config(directory_ / "cape.toml");

  ASSERT_TRUE(config) << to_text(config.error(), directory_);
  EXPECT_EQ(config->data_dir, directory_ / "d");
  EXPECT_EQ(config->run_dir(), directory_ / "d" / "run");
}

TEST_F(ConfigFile, MissingFileIsNamedWithTheNextStep) {
  EXPECT_THAT(load_config(directory_ / "none.toml").error(),
              refused_with("No such file or directory; name another"));
}

TEST_F(ConfigFile, RefusesWhatIsNoFileWithoutHanging) {
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);

  EXPECT_THAT(load_config(directory_ / "fifo").error(), refused_with("not a regular file"));
  EXPECT_THAT(load_config(directory_).error(), refused_with("not a regular file"));
}

TEST_F(ConfigFile, RefusesMoreThanAMebibyte) {
  std::ofstream(directory_ / "big.toml") << std::string((1 << 20) + 1, '\n');

  EXPECT_THAT(load_config(directory_ / "big.toml").error(), refused_with("larger than 1 MiB"));
}

TEST_F(ConfigFile, IsTheGivenOneElseTheEnvironmentsElseTheOneHere) {
  EXPECT_EQ(find_config(std::nullopt), "./cape.toml");
  ::setenv("CAPE_CONFIG", "/etc/other.toml", 1);
  EXPECT_EQ(find_config(std::nullopt), "/etc/other.toml");
  EXPECT_EQ(find_config("given.toml"), "given.toml");
  ::setenv("CAPE_CONFIG", "", 1);
  EXPECT_EQ(find_config(std::nullopt), "./cape.toml");
}

}  // namespace
}  // namespace cape
