#include "broker/late_looks.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cape::broker {
namespace {

constexpr std::int64_t given_s = 1'700'000'000;
constexpr std::int64_t given_ns = given_s * ns_per_s;

// Walks begin at these times, in seconds since the hand-out; those that look.
std::vector<std::int64_t> looking(const std::vector<std::int64_t>& walks_s, std::int64_t before_ns = 0) {
  std::vector<std::int64_t> looked;
  for (std::int64_t walk_s : walks_s) {
    const std::int64_t walk_ns = given_ns + walk_s * ns_per_s;
    if (late_look_is_due(given_s, before_ns, walk_ns)) looked.push_back(walk_s);
    before_ns = walk_ns;
  }
  return looked;
}

TEST(LateLooks, ComeFurtherAndFurtherApartAndEnd) {
  std::vector<std::int64_t> every_second;
  for (std::int64_t s = 0; s < 5000; ++s) every_second.push_back(s);

  EXPECT_EQ(looking(every_second, given_ns), (std::vector<std::int64_t>{1, 10, 60, 600}));
}

TEST(LateLooks, OfAWalkThatTakesLongAreOnePerWalk) {
  EXPECT_EQ(looking({0, 100, 200, 700, 800}, given_ns), (std::vector<std::int64_t>{100, 700}));
}

TEST(LateLooks, EndWithAWalkThatBeganLaterThanTheLastHandOut) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 1000; ++round) {
    std::vector<std::int64_t> walks;
    for (std::int64_t at = 0; at < 3000; at += 1 + static_cast<std::int64_t>(random() % 400)) walks.push_back(at);

    const auto looked = looking(walks, given_ns);

    ASSERT_FALSE(looked.empty());
    ASSERT_LE(looked.size(), std::size(late_looks_s));
    ASSERT_GE(looked.back(), 600);
  }
}

TEST(LateLooks, AfterAStartThatKnowsOfNoWalkLookOnce) {
  EXPECT_EQ(looking({5000, 5001}), (std::vector<std::int64_t>{5000}));
}

}  // namespace
}  // namespace cape::broker
