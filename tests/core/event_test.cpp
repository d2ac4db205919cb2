#include "core/event.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace cape {
namespace {

EventBlock three_events() {
  EventBlock block;
  block.add(5, 50, "created", "payload five");
  block.add(7, 70, "", std::string("a\0b", 3));
  block.add(90, -1, "deleted", "");
  return block;
}

TEST(EventBlock, GivesBackTypeAndPayloadOfEachEvent) {
  const EventBlock block = three_events();

  ASSERT_EQ(block.entries.size(), 3u);
  EXPECT_EQ(block.type_of(block.entries[0]), "created");
  EXPECT_EQ(block.payload_of(block.entries[0]), "payload five");
  EXPECT_EQ(block.type_of(block.entries[1]), "");
  EXPECT_EQ(block.payload_of(block.entries[1]), std::string("a\0b", 3));
  EXPECT_EQ(block.type_of(block.entries[2]), "deleted");
  EXPECT_EQ(block.payload_of(block.entries[2]), "");
  EXPECT_EQ(block.entries[2].time_ns, -1);
}

TEST(EventBlock, FindsTheFirstEventAfterASequence) {
  const EventBlock block = three_events();

  EXPECT_EQ(block.first_after(0), 0u);
  EXPECT_EQ(block.first_after(5), 1u);
  EXPECT_EQ(block.first_after(6), 1u);
  EXPECT_EQ(block.first_after(89), 2u);
  EXPECT_EQ(block.first_after(90), 3u);
  EXPECT_EQ(EventBlock().first_after(0), 0u);
}

TEST(EventBlockDeathTest, StopsWhenSequencesDoNotRise) {
  EventBlock block = three_events();

  EXPECT_DEATH(block.add(90, 0, "", ""), "internal error");
}

TEST(EventRange, NamesItsFirstAndLastSequence) {
  const EventRange range{std::make_shared<EventBlock>(three_events()), 1, 2};

  EXPECT_EQ(range.first_sequence(), 7);
  EXPECT_EQ(range.last_sequence(), 90);
  EXPECT_EQ(range[1].time_ns, -1);
}

TEST(Error, KeepsTheErrnoTextBehindTheMessage) {
  const Result<void> result = fail_errno(ErrorCode::io, "cannot open x", ENOENT);

  EXPECT_EQ(result.error().message, "cannot open x: No such file or directory");
  EXPECT_STREQ(name_of(result.error().code), "io");
}

}  // namespace
}  // namespace cape
