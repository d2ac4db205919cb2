// What a broker's message may be is not for us to choose.
#include "cli/msgpack_text.hpp"

#include <gtest/gtest.h>

namespace cape::cli {
namespace {

TEST(MsgpackText, MapBecomesOneLine) {
  EXPECT_EQ(json_of_msgpack("\x82\xA1"
                            "b\x01\xA1"
                            "a\x92\xC3\xC0"),
            R"({"b":1,"a":[true,null]})");
}

TEST(MsgpackText, WhatIsNoWholeMapIsEmpty) {
  using namespace std::string_view_literals;
  for (const std::string_view bytes : {""sv, "\x01"sv, "\x91\x01"sv, "\x81\xA1"sv, "\x80\x80"sv, "\xC1"sv,
                                       "\xDF\xFF\xFF\xFF\xFF\xA1"sv, "\x81\x01\x01"sv})
    EXPECT_EQ(json_of_msgpack(bytes), "") << testing::PrintToString(bytes);
}

TEST(MsgpackText, DeepNestingIsRefusedBeforeItCostsTheStack) {
  const auto nested = [](std::size_t arrays) {
    return "\x81\xA1"
           "a" +
           std::string(arrays, '\x91') + "\x01";
  };

  EXPECT_NE(json_of_msgpack(nested(15)), "");
  EXPECT_EQ(json_of_msgpack(nested(16)), "");
  EXPECT_EQ(json_of_msgpack(nested(8'000'000)), "");
}

}  // namespace
}  // namespace cape::cli
