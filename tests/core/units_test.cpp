#include "core/config/units.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cape::config {
namespace {

TEST(Duration, HasAWholeNumberAndAUnit) {
  EXPECT_EQ(parse_duration_ms("200ms"), 200);
  EXPECT_EQ(parse_duration_ms("0s"), 0);
  EXPECT_EQ(parse_duration_ms("5m"), 300'000);
  EXPECT_EQ(parse_duration_ms("1h"), 3'600'000);
  EXPECT_EQ(parse_duration_ms("9223372036854775807ms"), INT64_MAX);
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* bad : {"", "5", "ms", "-1s", "+1s", " 1s", "1s ", "1 s", "1.5s", "1S", "1d", "0x1s", "1sm",
                          "9223372036854775808ms", "9223372036854775807h"})
    EXPECT_EQ(parse_duration_ms(bad), std::nullopt) << bad;
}

TEST(Size, CountsInPowersOfTwo) {
  EXPECT_EQ(parse_size_bytes("1B"), 1);
  EXPECT_EQ(parse_size_bytes("64KiB"), 65'536);
  EXPECT_EQ(parse_size_bytes("512MiB"), 512 << 20);
  EXPECT_EQ(parse_size_bytes("2GiB"), 2LL << 30);
  for (const char* bad : {"512", "512MB", "512M", "1 GiB", "-1B", "9999999999GiB"})
    EXPECT_EQ(parse_size_bytes(bad), std::nullopt) << bad;
}

TEST(Units, TextUsesTheLargestUnitThatIsExact) {
  EXPECT_EQ(duration_text(300'000), "5m");
  EXPECT_EQ(duration_text(1'500), "1500ms");
  EXPECT_EQ(duration_text(0), "0ms");
  EXPECT_EQ(size_text(1 << 20), "1MiB");
  EXPECT_EQ(size_text(1000), "1000B");
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> keys{"source", "config", "grant", "timeout", "timeout_max", "max"};

  EXPECT_EQ(nearest("sorce", keys), "source");
  EXPECT_EQ(nearest("souce_", keys), "source");
  EXPECT_EQ(nearest("garnt", keys), "grant") << "a swap is one slip";
  EXPECT_EQ(nearest("timeoutmax", keys), "timeout_max");
  EXPECT_EQ(nearest("mix", keys), "max");
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
  const std::vector<std::string> keys{"source", "max"};

  EXPECT_EQ(nearest("nothing", keys), "");
  EXPECT_EQ(nearest("axe", keys), "") << "two slips of a three-letter word are another word";
  EXPECT_EQ(nearest(std::string(100'000, 'x'), keys), "");
}

}  // namespace
}  // namespace cape::config
