// Going back to the last bytes that worked.
#include "host/child/last_good.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/host/images.hpp"

namespace cape::child {
namespace {

using test::image;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LastGoodTest : public ::testing::Test {
 protected:
  std::vector<std::string> serving(std::vector<PluginImagePtr> offered) {
    serves = last_good.serving(std::move(offered));
    std::vector<std::string> hashes;
    for (const PluginImagePtr& one : serves) hashes.push_back(one->hash);
    return hashes;
  }

  const PluginImagePtr old_one = image("a", "1.0", "h1"), new_one = image("a", "2.0", "h2"),
                       other = image("b", "1.0", "h3");
  LastGood last_good;
  std::vector<PluginImagePtr> serves;
};

TEST_F(LastGoodTest, BringsTheOlderBytesBackUntilTheFileChanges) {
  serving({old_one, other});
  last_good.works(serves, "h1");
  EXPECT_THAT(serving({new_one, other}), ElementsAre("h2", "h3"));

  EXPECT_TRUE(last_good.works_not(serves, "h2", "it crashes"));

  EXPECT_THAT(serving({new_one, other}), ElementsAre("h1", "h3"));
  ASSERT_EQ(last_good.set_aside().size(), 1u);
  EXPECT_EQ(last_good.set_aside()[0].file, "a.so");
  EXPECT_THAT(last_good.set_aside()[0].reason, HasSubstr("it crashes; version 1.0 (h1) serves again"));
  EXPECT_THAT(serving({image("a", "2.1", "h4"), other}), ElementsAre("h4", "h3"));
  EXPECT_THAT(last_good.set_aside(), IsEmpty());
}

TEST_F(LastGoodTest, KnowsBadBytesThatNoFileHasUntilTheyAreDroppedOnceMore) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({new_one});
  last_good.works_not(serves, "h2", "it crashes");
  EXPECT_FALSE(last_good.is_former_bad("h2")) << "its file is set aside";

  serving({image("a", "2.1", "h4")});
  EXPECT_TRUE(last_good.is_former_bad("h2"));
  EXPECT_FALSE(last_good.is_former_bad("h1"));
  EXPECT_THAT(serving({new_one}), ElementsAre("h2")) << "it is tried again";
  EXPECT_FALSE(last_good.is_former_bad("h2"));
}

TEST_F(LastGoodTest, LeavesBytesInPlaceThatHaveNoPredecessor) {
  serving({new_one});
  EXPECT_FALSE(last_good.works_not(serves, "h2", "it crashes"));
  EXPECT_THAT(serving({new_one}), ElementsAre("h2"));
}

TEST_F(LastGoodTest, DoesNotTurnAgainstTheBytesThatCameBack) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({new_one});
  last_good.works_not(serves, "h2", "it crashes");
  serving({new_one});
  EXPECT_FALSE(last_good.works_not(serves, "h1", "it crashes too"));
  EXPECT_THAT(serving({new_one}), ElementsAre("h1"));
}

TEST_F(LastGoodTest, ForgetsAPluginThatIsGone) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({});
  serving({new_one});
  EXPECT_FALSE(last_good.works_not(serves, "h2", "it crashes"));
}

// A version may work and still be found wanting, such as by its speed.
TEST_F(LastGoodTest, GoesBackBehindAVersionThatWorkedAtFirst) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({new_one});
  last_good.works(serves, "h2");

  EXPECT_TRUE(last_good.works_not(serves, "h2", "it is slow"));

  EXPECT_THAT(serving({new_one}), ElementsAre("h1"));
  EXPECT_THAT(last_good.set_aside()[0].reason, HasSubstr("it is slow; version 1.0"));
}

TEST_F(LastGoodTest, GoesBackPastTwoBadVersionsToTheOneBefore) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({new_one});
  last_good.works(serves, "h2");
  const PluginImagePtr third = image("a", "3.0", "h5");
  serving({third});

  EXPECT_TRUE(last_good.works_not(serves, "h5", "it crashes"));
  EXPECT_THAT(serving({third}), ElementsAre("h2"));
  EXPECT_TRUE(last_good.works_not(serves, "h2", "it is slow"));

  EXPECT_THAT(serving({third}), ElementsAre("h1"));
  ASSERT_EQ(last_good.set_aside().size(), 1u);
  EXPECT_THAT(last_good.set_aside()[0].reason, HasSubstr("it crashes; version 1.0 (h1) serves again"));
}

TEST_F(LastGoodTest, HoldsNoMoreThanItMayOfManyVersionsThatWorked) {
  for (int i = 0; i < 100; ++i) {
    const std::string hash = "h" + std::to_string(i);
    serving({image("a", "1.0", hash)});
    last_good.works(serves, hash);
  }
  for (std::size_t i = 1; i < LastGood::kept_max; ++i) {
    serving({image("a", "1.0", "h99")});
    EXPECT_TRUE(last_good.works_not(serves, serves[0]->hash, "bad"));
  }
  serving({image("a", "1.0", "h99")});
  EXPECT_FALSE(last_good.works_not(serves, serves[0]->hash, "bad")) << "the last one stays";
}

TEST_F(LastGoodTest, CorrectsWhatIsToldOfTheFile) {
  serving({old_one});
  last_good.works(serves, "h1");
  serving({new_one});
  last_good.works_not(serves, "h2", "it crashes");
  std::vector<FileVerdict> files = {{.file = "a.so", .watched = true, .image = new_one}};

  last_good.correct(files);

  EXPECT_EQ(files[0].state, FileVerdict::State::set_aside);
  EXPECT_EQ(files[0].hash, "h2");
  EXPECT_EQ(files[0].image->hash, "h1");
}

}  // namespace
}  // namespace cape::child
