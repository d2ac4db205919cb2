#include "tests/system/backlog.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Backlog, OfAMillionSubjectsIsWorkedOffInBoundedMemory) {
  expect_backlog_is_worked_off(1'000'000);
}

}  // namespace
}  // namespace cape::test
