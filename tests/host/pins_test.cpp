// An operator's word on which bytes serve.
#include "host/child/pins.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/host/images.hpp"

namespace cape::child {
namespace {

using test::image;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PinsTest : public ::testing::Test {
 protected:
  std::vector<std::string> serving(std::vector<PluginImagePtr> by_rule,
                                   const std::vector<PluginImagePtr>& available) {
    std::vector<std::string> hashes;
    for (const PluginImagePtr& one : pins.serving(std::move(by_rule), available)) hashes.push_back(one->hash);
    return hashes;
  }

  const PluginImagePtr old_one = image("a", "1.0", "h1"), new_one = image("a", "2.0", "h2"),
                       other = image("b", "1.0", "h3");
  Pins pins;
};

TEST_F(PinsTest, VersionWinsOverWhatTheRuleSays) {
  pins.set({{"a", "1.0", ""}});

  EXPECT_THAT(serving({new_one, other}, {new_one, old_one, other}), ElementsAre("h1", "h3"));
  EXPECT_TRUE(pins.is_pinned("a"));
  EXPECT_FALSE(pins.is_pinned("b"));
}

TEST_F(PinsTest, HashNamesOneOfTwoBuildsOfAVersion) {
  const PluginImagePtr rebuilt = image("a", "1.0", "h4");
  pins.set({{"a", "", "h1"}});

  EXPECT_THAT(serving({rebuilt}, {rebuilt, old_one}), ElementsAre("h1"));
}

TEST_F(PinsTest, KeepsTheBytesWhenTheirFileGoes) {
  pins.set({{"a", "1.0", ""}});
  serving({new_one}, {new_one, old_one});

  EXPECT_THAT(serving({new_one}, {new_one}), ElementsAre("h1"));
  EXPECT_THAT(serving({}, {}), ElementsAre("h1"));
  pins.set({{"a", "1.0", ""}, {"b", "1.0", ""}});
  EXPECT_THAT(serving({new_one, other}, {new_one, other}), ElementsAre("h1", "h3")) << "said again";
}

TEST_F(PinsTest, BytesThatAreNowhereServeNothingAndSaySo) {
  pins.set({{"a", "1.0", ""}});

  EXPECT_THAT(serving({new_one, other}, {new_one, other}), ElementsAre("h3"));
  EXPECT_THAT(pins.troubles().at("a"), HasSubstr("plugin 'a' is pinned to version 1.0"));
  EXPECT_THAT(pins.troubles().at("a"), HasSubstr("cape plugin unpin a"));
  EXPECT_THAT(serving({new_one, other}, {new_one, old_one, other}), ElementsAre("h1", "h3"))
      << "until they come";
  EXPECT_THAT(pins.troubles(), IsEmpty());
}

TEST_F(PinsTest, ThatIsTakenBackLeavesTheRule) {
  pins.set({{"a", "1.0", ""}});
  serving({new_one}, {new_one, old_one});

  pins.set({});

  EXPECT_THAT(serving({new_one}, {new_one, old_one}), ElementsAre("h2"));
}

TEST_F(PinsTest, SecondBuildOfThePinnedVersionChangesNothing) {
  pins.set({{"a", "1.0", ""}});
  serving({old_one}, {old_one});
  const PluginImagePtr rebuilt = image("a", "1.0", "h4");

  EXPECT_THAT(serving({rebuilt}, {rebuilt, old_one}), ElementsAre("h1"));
}

TEST_F(PinsTest, BytesThatWereFoundWantingServeWhenTheyArePinned) {
  pins.set({{"a", "2.0", ""}});
  serving({old_one}, {new_one, old_one});
  std::vector<FileVerdict> files = {{.file = "new.so",
                                     .watched = true,
                                     .state = FileVerdict::State::set_aside,
                                     .image = old_one,
                                     .hash = "h2",
                                     .reason = "slow"}};

  pins.correct(files);

  EXPECT_EQ(files[0].state, FileVerdict::State::serves);
  EXPECT_EQ(files[0].image->hash, "h2");
}

TEST_F(PinsTest, TellsWhichFileServes) {
  pins.set({{"a", "1.0", ""}});
  serving({new_one}, {new_one, old_one});
  std::vector<FileVerdict> files = {
      {.file = "new.so", .watched = true, .image = new_one},
      {.file = "old.so", .watched = true, .state = FileVerdict::State::stands_by, .image = old_one}};

  pins.correct(files);

  EXPECT_EQ(files[0].state, FileVerdict::State::stands_by);
  EXPECT_EQ(files[1].state, FileVerdict::State::serves);
}

}  // namespace
}  // namespace cape::child
