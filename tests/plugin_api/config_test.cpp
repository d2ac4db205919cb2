#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cape/config.hpp>

#include <cmath>
#include <cstdint>

#include "tests/fakes/plugin_host.hpp"

namespace {

using ::testing::HasSubstr;

class Config : public ::testing::Test {
 protected:
  std::string mistake(auto&& body) {
    try {
      body();
    } catch (const cape::ConfigError& error) {
      return error.what();
    }
    return "no mistake";
  }

  cape::test::FakeHost host_;
  cape::Config config_{host_.table(), cape::bytes_of("{\"a\":1}")};
};

TEST_F(Config, ReadsEveryScalar) {
  host_.config = {{"text", "a b"}, {"empty", ""}, {"deep.er.key", "v"},
                  {"on", "true"},  {"n", "-42"},  {"x", "2.5e3"}};

  EXPECT_EQ(config_.require<std::string>("text"), "a b");
  EXPECT_EQ(config_.require<std::string_view>("empty"), "");
  EXPECT_EQ(config_.get("deep.er.key", "other"), "v");
  EXPECT_TRUE(config_.require<bool>("on"));
  EXPECT_EQ(config_.require<std::int8_t>("n"), -42);
  EXPECT_EQ(config_.require<double>("x"), 2500);
  EXPECT_EQ(config_.json(), "{\"a\":1}");
}

TEST_F(Config, MissingKeyIsTheFallbackOrNothing) {
  EXPECT_EQ(config_.get("text", "fallback"), "fallback");
  EXPECT_EQ(config_.get("n", 7), 7);
  EXPECT_FALSE(config_.get("on", false));
  EXPECT_EQ(config_.find<double>("x"), std::nullopt);
}

TEST_F(Config, MissingKeyThatIsRequiredIsNamed) {
  EXPECT_THAT(mistake([&] { config_.require<std::string>("index.url"); }),
              HasSubstr("'index.url' is missing"));
}

TEST_F(Config, ValueOfTheWrongTypeIsNamedEvenWithAFallback) {
  host_.config = {{"n", "12x"}, {"on", "1"}, {"x", "1.5 "}, {"none", ""}};

  EXPECT_THAT(mistake([&] { config_.get("n", 1); }),
              HasSubstr("'n' must be a whole number from -2147483648"));
  EXPECT_THAT(mistake([&] { config_.get("on", true); }), HasSubstr("'on' must be true or false, not '1'"));
  EXPECT_THAT(mistake([&] { config_.get("x", 1.0); }), HasSubstr("'x' must be a number, not '1.5 '"));
  EXPECT_THAT(mistake([&] { config_.get("none", 1); }), HasSubstr("'none'"));
  EXPECT_THAT(mistake([&] { config_.get("none", 1.0); }), HasSubstr("'none'"));
}

TEST_F(Config, NumberOutOfRangeIsRefused) {
  host_.config = {{"n", "256"}, {"minus", "-1"}, {"frac", "1.5"}};

  EXPECT_THAT(mistake([&] { config_.get<std::uint8_t>("n", 0); }), HasSubstr("from 0 to 255"));
  EXPECT_THAT(mistake([&] { config_.get<std::uint32_t>("minus", 0); }), HasSubstr("'minus'"));
  EXPECT_THAT(mistake([&] { config_.get("frac", 1); }), HasSubstr("'frac'"));
}

}  // namespace
