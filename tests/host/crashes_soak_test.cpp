#include "tests/host/crashes.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Crashes, TenThousandLeaveTheHostAsItWas) {
  expect_crashes_leave_nothing(10'000);
}

}  // namespace
}  // namespace cape::test
