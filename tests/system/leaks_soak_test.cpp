#include "tests/system/leaks.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Leaks, OfOneKiBInAMillionEventsLosesNoEvent) {
  expect_leak_is_recycled({.events = 1'000'000, .bytes = 1024});
}

}  // namespace
}  // namespace cape::test
