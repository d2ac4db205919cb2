#include <gtest/gtest.h>

#include "plugins/audit_log/day_file.hpp"

namespace audit_log {
namespace {

TEST(DayName, IsTheUtcDay) {
  EXPECT_EQ(day_name(0), "1970-01-01.jsonl");
  EXPECT_EQ(day_name(86'399), "1970-01-01.jsonl");
  EXPECT_EQ(day_name(86'400), "1970-01-02.jsonl");
  EXPECT_EQ(day_name(1'709'164'800), "2024-02-29.jsonl");
  EXPECT_EQ(day_name(1'709'251'199), "2024-02-29.jsonl");
}

}  // namespace
}  // namespace audit_log
