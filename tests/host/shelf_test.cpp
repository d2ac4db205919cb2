// What intake keeps of bytes that no file has any more.
#include "host/child/shelf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/host/images.hpp"

namespace cape::child {
namespace {

using test::image;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> available(const Shelf& shelf) {
  std::vector<std::string> hashes;
  for (const PluginImagePtr& one : shelf.available()) hashes.push_back(one->hash);
  return hashes;
}

Standing in_round(std::uint64_t round) {
  return {.watched = true, .round = round, .modified_ns = 0};
}

TEST(Shelf, OffersWhatServesThenWhatStandsByThenWhatWasReplaced) {
  Shelf shelf;
  shelf.put_good("a.so", image("a", "1.0", "h1"), in_round(1));
  shelf.put_good("a.so", image("a", "1.1", "h2"), in_round(2));
  shelf.put_good("more.so", image("a", "0.9", "h3"), in_round(3));

  EXPECT_THAT(available(shelf), ElementsAre("h3", "h2", "h1"));
  ASSERT_EQ(shelf.serving().size(), 1u);
  EXPECT_EQ(shelf.serving()[0]->hash, "h3");
}

TEST(Shelf, SaysOfAFileThatIsSetAsideWhenTheSameBytesServeOn) {
  Shelf shelf;
  shelf.put_good("a.so", image("a", "1.0", "h1"), in_round(1));

  EXPECT_TRUE(shelf.put_aside("a.so", {.file = "a.so", .hash = "h1", .reason = "not signed"}, false));
  EXPECT_FALSE(shelf.put_aside("a.so", {.file = "a.so", .hash = "h1", .reason = "not signed"}, false));

  EXPECT_EQ(shelf.set_aside().at(0).reason,
            "not signed; the same bytes, taken in before, serve on until the next start");
  EXPECT_EQ(shelf.files().at(0).reason, shelf.set_aside().at(0).reason);
  EXPECT_EQ(shelf.serving().size(), 1u);
}

TEST(Shelf, KeepsTheBytesOfARemovedFileButLetsThemNotServe) {
  Shelf shelf;
  shelf.put_good("a.so", image("a", "1.0", "h1"), in_round(1));

  shelf.remove("a.so");

  EXPECT_THAT(available(shelf), ElementsAre("h1"));
  EXPECT_THAT(shelf.serving(), IsEmpty());
}

TEST(Shelf, KnowsWhatWasReplacedSoThatGoingBackNeedsNoSecondLook) {
  Shelf shelf;
  shelf.put_good("a.so", image("a", "1.0", "h1"), in_round(1));
  shelf.put_good("a.so", image("a", "1.1", "h2"), in_round(2));

  const auto known = shelf.known("h1");
  ASSERT_TRUE(known && known->image);
  shelf.put_good("a.so", known->image, in_round(3));

  EXPECT_THAT(available(shelf), ElementsAre("h1", "h2"));
}

TEST(Shelf, HoldsNoMoreThanItMayHoweverManyVersionsCome) {
  Shelf shelf;
  for (std::uint64_t i = 0; i < 1'000; ++i)
    shelf.put_good("a.so", image("a", "1.0", "h" + std::to_string(i)), in_round(i));
  EXPECT_THAT(available(shelf), ElementsAre("h999", "h998", "h997"));

  for (std::uint64_t i = 0; i < 1'000; ++i) {
    const std::string id = "p" + std::to_string(i);
    shelf.put_good(id + ".so", image(id, "1.0", id), in_round(i));
    shelf.remove(id + ".so");
  }
  EXPECT_EQ(available(shelf).size(), 1 + Shelf::former_max);
}

TEST(Shelf, HoldsNoMoreBytesThanItMay) {
  Shelf shelf;
  for (std::uint64_t i = 0; i < 10; ++i) {
    const std::string id = "p" + std::to_string(i);
    shelf.put_good(id + ".so", image(id, "1.0", id, Shelf::former_bytes_max / 4), in_round(i));
    shelf.remove(id + ".so");
  }

  EXPECT_THAT(available(shelf), ElementsAre("p9", "p8", "p7", "p6"));
}

TEST(Shelf, OfTwoNamesOfOneContentEachStands) {
  Shelf shelf;
  shelf.put_good("a.so", image("a", "1.0", "h1"), in_round(1));
  shelf.put_good("b.so", image("a", "1.0", "h1"), in_round(2));

  shelf.remove("b.so");

  ASSERT_EQ(shelf.serving().size(), 1u);
  EXPECT_EQ(shelf.serving()[0]->hash, "h1") << "the other name still has it";
  EXPECT_THAT(available(shelf), ElementsAre("h1"));
}

}  // namespace
}  // namespace cape::child
