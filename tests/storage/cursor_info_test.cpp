#include "storage/cursor_info.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "storage/slot.hpp"

namespace cape::storage {
namespace {

constexpr Sequence sequence_max = std::numeric_limits<Sequence>::max();

LambdaCursor troubled() {
  return {.lambda = "index",
          .cursor = 41,
          .attempts = std::numeric_limits<std::uint32_t>::max(),
          .failed_sequence = 42,
          .next_try_wall_ns = 1'700'000'000'000'000'000,
          .failing_since_wall_ns = 1'600'000'000'000'000'000,
          .parked = true,
          .reason = std::string(reason_bytes_max, 'r'),
          .passed = std::vector<SequenceRange>(passed_ranges_max, {sequence_max, sequence_max})};
}

CursorInfo sample() {
  return {.latest = sequence_max,
          .topologies = {
              {"audit", {{.lambda = "write", .cursor = sequence_max, .reason = {}}}},
              {"search", {troubled(), {.lambda = "notify", .cursor = 7, .reason = "slow \x01 \xc3\xa4"}}},
              {"failing", {{.lambda = "run", .cursor = 3, .failing_since_wall_ns = 5}}},
              {"held",
               {{.lambda = "run", .cursor = 3, .passed = {{1, 2}}}},
               true,
               std::string(reason_bytes_max, 'p')},
              {std::string(name_bytes_max, 'n'), {}}}};
}

TEST(CursorInfo, CursorOfATopologyIsTheLowestOfItsLambdas) {
  EXPECT_EQ(sample().topologies[1].cursor(), 7);
  EXPECT_EQ(TopologyCursor{}.cursor(), 0);
}

TEST(CursorInfo, ComesBackFromItsBytesAsItWas) {
  for (const CursorInfo& info : {CursorInfo{}, sample()}) {
    const Result<CursorInfo> back = decode_cursor_info(encode(info));

    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, info);
  }
}

TEST(CursorInfo, OfASubjectWithoutTroubleIsSmall) {
  const CursorInfo info{.latest = 1000,
                        .topologies = {{"audit", {{.lambda = "write", .cursor = 1000, .reason = {}}}}}};

  EXPECT_LE(encode(info).size(), 24u);
}

TEST(CursorInfo, RefusesEveryTruncationAndEveryExtraByte) {
  const std::string bytes = encode(sample());

  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_cursor_info(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_cursor_info(bytes + '\0'));
}

TEST(CursorInfo, RefusesRandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);

  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const Result<CursorInfo> info = decode_cursor_info(bytes);
    // Whatever passes by chance must at least be a record in every respect.
    if (info) {
      EXPECT_EQ(mistake_of(*info), "");
    } else {
      EXPECT_EQ(info.error().code, ErrorCode::invalid);
    }
  }
}

TEST(CursorInfo, WithAChangedByteIsRefusedOrStillWithinBounds) {
  CursorInfo info = sample();
  info.topologies[1].lambdas[0].reason.resize(20);
  const std::string good = encode(info);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(value);

      const Result<CursorInfo> back = decode_cursor_info(bytes);

      EXPECT_EQ(back ? mistake_of(*back) : "", "");
    }
  }
}

TEST(CursorInfo, RefusesAVersionItDoesNotKnow) {
  std::string bytes = encode(sample());
  ASSERT_EQ(bytes[1], 1);
  bytes[1] = 2;

  const Result<CursorInfo> info = decode_cursor_info(bytes);

  ASSERT_FALSE(info);
  EXPECT_NE(info.error().message.find("version"), std::string::npos) << info.error().message;
}

TEST(CursorInfo, RefusesArraysThatClaimToBeHuge) {
  EXPECT_FALSE(decode_cursor_info("\xdd\xff\xff\xff\xff"));
  EXPECT_FALSE(decode_cursor_info("\x93\x01\x00\xdd\xff\xff\xff\xff"));
  EXPECT_FALSE(decode_cursor_info(std::string(100'000, '\x91')));
}

TEST(CursorInfo, NamesWhatCannotBeStored) {
  CursorInfo negative = sample();
  negative.topologies[0].lambdas[0].cursor = -1;
  CursorInfo wordy = sample();
  wordy.topologies[1].lambdas[0].reason += 'x';
  CursorInfo nameless = sample();
  nameless.topologies[2].topology.clear();
  CursorInfo crowded;
  crowded.topologies.resize(topologies_per_subject_max + 1, {"t", {}});

  EXPECT_EQ(mistake_of(sample()), "");
  for (const CursorInfo& info : {negative, wordy, nameless, crowded}) EXPECT_NE(mistake_of(info), "");
}

// The slot of a subject is stored, so it must never change between versions or machines.
TEST(Slot, StaysWhatItIs) {
  EXPECT_NE(slot_of("ab", "c"), slot_of("a", "bc"));
  EXPECT_LT(slot_of("history", ""), slot_count);
  EXPECT_EQ(slot_of("history", "order/17"), 598u);
}

}  // namespace
}  // namespace cape::storage
