#include "tests/host/crashes.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Crashes, FiveHundredLeaveTheHostAsItWas) {
  expect_crashes_leave_nothing(500);
}

}  // namespace
}  // namespace cape::test
