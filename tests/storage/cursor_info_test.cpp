#include "storage/cursor_info.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "storage/slot.hpp"

namespace cape::storage {
namespace {

constexpr Sequence sequence_max = std::numeric_limits<Sequence>::max();

LateEvents late_ones(std::size_t count, std::size_t reason_bytes) {
  const LateEvent failed{.sequence = sequence_max,
                         .attempts = std::numeric_limits<std::uint32_t>::max(),
                         .next_try_wall_ns = 1'700'000'000'000'000'000,
                         .parked = true,
                         .reason = std::string(reason_bytes, 'l')};
  LateEvents late{.events = {{.sequence = 1}}, .more = 7, .more_from = 4};
  late.events.resize(count, failed);
  return late;
}

// As wide as a window gets: no two of its events are neighbours.
GivenWindow sparse_window() {
  GivenWindow window{.from = sequence_max - 200, .to = sequence_max, .given_wall_s = 1'700'000'000};
  for (Sequence i = 0; i < 64; ++i) window.runs.push_back({window.from + 1 + 2 * i, window.from + 1 + 2 * i});
  return window;
}

LambdaCursor troubled() {
  return {.lambda = "index",
          .cursor = 41,
          .attempts = std::numeric_limits<std::uint32_t>::max(),
          .failed_sequence = 42,
          .next_try_wall_ns = 1'700'000'000'000'000'000,
          .failing_since_wall_ns = 1'600'000'000'000'000'000,
          .parked = true,
          .reason = std::string(reason_bytes_max, 'r'),
          .passed = std::vector<SequenceRange>(passed_ranges_max, {sequence_max, sequence_max}),
          .late = late_ones(3, 5)};
}

CursorInfo sample() {
  return {
      .latest = sequence_max,
      .topologies = {{"audit", {{.lambda = "write", .cursor = sequence_max, .reason = {}}}},
                     {"search",
                      {troubled(), {.lambda = "notify", .cursor = 7, .reason = "slow \x01 \xc3\xa4"}}},
                     {"failing", {{.lambda = "run", .cursor = 3, .failing_since_wall_ns = 5}}},
                     {"held",
                      {{.lambda = "run", .cursor = 3, .passed = {{1, 2}}}},
                      true,
                      std::string(reason_bytes_max, 'p')},
                     {"surprised", {{.lambda = "run", .cursor = 9, .late = {.events = {{.sequence = 8}}}}}},
                     {std::string(name_bytes_max, 'n'), {}}},
      .given = sparse_window()};
}

CursorInfo with_window(GivenWindow window) {
  CursorInfo info{.latest = 1000, .topologies = {{"audit", {{.lambda = "write", .cursor = 1000}}}}};
  info.given = std::move(window);
  return info;
}

TEST(CursorInfo, CursorOfATopologyIsTheLowestOfItsLambdas) {
  EXPECT_EQ(sample().topologies[1].cursor(), 7);
  EXPECT_EQ(TopologyCursor{}.cursor(), 0);
}

TEST(CursorInfo, ComesBackFromItsBytesAsItWas) {
  const CursorInfo nothing_but_a_bound = with_window({.from = 1, .to = 1000, .given_wall_s = 1});
  const CursorInfo runs = with_window({.from = 3, .to = 90, .runs = {{5, 5}, {7, 8}, {11, 69}}});
  CursorInfo crowded = sample();
  crowded.topologies[0].lambdas[0].late = late_ones(late_events_max, reason_bytes_max);
  for (const CursorInfo& info : {CursorInfo{}, sample(), nothing_but_a_bound, runs, crowded}) {
    const Result<CursorInfo> back = decode_cursor_info(encode(info));

    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, info);
  }
}

TEST(CursorInfo, OfASubjectWithoutTroubleIsSmall) {
  const std::string bytes = encode(with_window({}));

  EXPECT_LE(bytes.size(), 24u);
}

TEST(CursorInfo, OfAHistoryWithoutGapsHasASmallWindow) {
  const GivenWindow window{.from = 937, .to = 1000, .runs = {{937, 1000}}, .given_wall_s = 1'700'000'000};

  EXPECT_LE(encode(with_window(window)).size(), encode(with_window({})).size() + 12);
}

TEST(CursorInfo, OfAHistoryWithGapsPaysAByteForEachOfItsLastEvents) {
  GivenWindow window{.from = 1, .to = 640, .given_wall_s = 1'700'000'000};
  for (Sequence i = 1; i <= 64; ++i) window.runs.push_back({10 * i, 10 * i});

  EXPECT_LE(encode(with_window(window)).size(), encode(with_window({})).size() + 64 + 11);
}

// As it was written before there were windows and late events.
TEST(CursorInfo, OfAnOlderCapeIsRead) {
  const std::string bytes("\x93\x01\x09\x91\x92\xa1t\x91\x99\xa1l\x07\x02\x08\x00\xc3\xa1r\x92\x01\x02\x05",
                          22);

  const Result<CursorInfo> info = decode_cursor_info(bytes);

  ASSERT_TRUE(info) << info.error().message;
  const LambdaCursor lambda{.lambda = "l",
                            .cursor = 7,
                            .attempts = 2,
                            .failed_sequence = 8,
                            .failing_since_wall_ns = 5,
                            .parked = true,
                            .reason = "r",
                            .passed = {{1, 2}}};
  EXPECT_EQ(*info, (CursorInfo{.latest = 9, .topologies = {{"t", {lambda}}}}));
  EXPECT_EQ(encode(*info), bytes) << "and an older Cape reads what has neither";
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

  CursorInfo late = sample();
  late.topologies[1].lambdas[0].late = late_ones(late_events_max + 1, 0);
  CursorInfo wide = sample();
  wide.given.from -= 10;
  wide.given.runs.insert(wide.given.runs.begin(), {wide.given.from, wide.given.from});
  CursorInfo falling = sample();
  std::swap(falling.given.runs[3], falling.given.runs[4]);

  EXPECT_EQ(mistake_of(sample()), "");
  for (const CursorInfo& info : {negative, wordy, nameless, crowded, late, wide, falling})
    EXPECT_NE(mistake_of(info), "");
}

// The slot of a subject is stored, so it must never change between versions or machines.
TEST(Slot, StaysWhatItIs) {
  EXPECT_NE(slot_of("ab", "c"), slot_of("a", "bc"));
  EXPECT_LT(slot_of("history", ""), slot_count);
  EXPECT_EQ(slot_of("history", "order/17"), 598u);
}

}  // namespace
}  // namespace cape::storage
