#include "tests/system/leaks.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Leaks, ChildThatLeaksIsReplacedAndNoEventIsLost) {
  expect_leak_is_recycled({.events = 40'000, .bytes = 16'384});
}

}  // namespace
}  // namespace cape::test
