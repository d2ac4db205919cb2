#include "broker/tracker/up_to.hpp"

#include <gtest/gtest.h>

namespace cape::tracker {
namespace {

EventBlockPtr three_events() {
  auto block = std::make_shared<EventBlock>();
  block->proven_from = 10;
  block->proven_to = 40;
  block->add(12, 1, "made", "a");
  block->add(20, 2, "changed", "bc");
  block->add(33, 3, "gone", "");
  return block;
}

TEST(UpTo, LeavesABlockThatEndsThere) {
  const EventBlockPtr block = three_events();

  EXPECT_EQ(up_to(block, 40), block);
  EXPECT_EQ(up_to(block, INT64_MAX), block);
}

TEST(UpTo, KeepsWhatLiesBeforeAndProvesNoMore) {
  const EventBlockPtr part = up_to(three_events(), 20);

  EXPECT_EQ(part->proven_from, 10);
  EXPECT_EQ(part->proven_to, 20);
  ASSERT_EQ(part->entries.size(), 2u);
  EXPECT_EQ(part->entries[1].sequence, 20);
  EXPECT_EQ(part->entries[1].time_ns, 2);
  EXPECT_EQ(part->type_of(part->entries[1]), "changed");
  EXPECT_EQ(part->payload_of(part->entries[1]), "bc");
}

TEST(UpTo, ProvesAGapUpToTheSequence) {
  const EventBlockPtr part = up_to(three_events(), 39);

  EXPECT_EQ(part->entries.size(), 3u);
  EXPECT_EQ(part->proven_to, 39);
}

TEST(UpTo, OfABlockBehindTheSequenceProvesNothing) {
  const EventBlockPtr part = up_to(three_events(), 4);

  EXPECT_TRUE(part->entries.empty());
  EXPECT_LT(part->proven_to, part->proven_from);
}

}  // namespace
}  // namespace cape::tracker
