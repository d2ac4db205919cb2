#include "tests/system/order_checker.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

OrderChecker with_four_events() {
  OrderChecker checker;
  for (std::int64_t sequence : {10, 20, 35, 40}) checker.expect("a", sequence);
  return checker;
}

TEST(OrderChecker, AcceptsTheEventsInOrder) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 20, 35, 40}) checker.ran({"a", sequence});
  checker.cursor_stands("a", 40);
  checker.finish();

  EXPECT_TRUE(checker.mistakes().empty()) << checker.mistakes().front();
}

TEST(OrderChecker, RefusesASkip) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 35, 40}) checker.ran({"a", sequence});

  EXPECT_FALSE(checker.mistakes().empty());
}

TEST(OrderChecker, RefusesASwap) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 35, 20, 40}) checker.ran({"a", sequence});

  EXPECT_FALSE(checker.mistakes().empty());
}

TEST(OrderChecker, AcceptsARepeatFromTheSavedCursorOn) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 20, 35}) checker.ran({"a", sequence});
  checker.saved("a", 10);
  for (std::int64_t sequence : {20, 35, 40}) checker.ran({"a", sequence});
  checker.finish();

  EXPECT_TRUE(checker.mistakes().empty()) << checker.mistakes().front();
  EXPECT_EQ(checker.repeats(), 2u);
}

TEST(OrderChecker, RefusesARepeatBelowTheSavedCursor) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 20, 35}) checker.ran({"a", sequence});
  checker.saved("a", 20);
  checker.ran({"a", 20});

  EXPECT_FALSE(checker.mistakes().empty());
}

TEST(OrderChecker, RefusesAGapInsideARepeat) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 20, 35}) checker.ran({"a", sequence});
  for (std::int64_t sequence : {10, 35}) checker.ran({"a", sequence});

  EXPECT_FALSE(checker.mistakes().empty());
}

TEST(OrderChecker, RefusesACursorPastAnEventThatHasNotRun) {
  OrderChecker checker = with_four_events();

  checker.ran({"a", 10});
  checker.cursor_stands("a", 20);

  EXPECT_FALSE(checker.mistakes().empty());
}

TEST(OrderChecker, RefusesAnEventThatNeverRan) {
  OrderChecker checker = with_four_events();

  for (std::int64_t sequence : {10, 20, 35}) checker.ran({"a", sequence});
  checker.finish();

  EXPECT_FALSE(checker.mistakes().empty());
}

}  // namespace
}  // namespace cape::test
