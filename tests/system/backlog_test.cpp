#include "tests/system/backlog.hpp"

#include <gtest/gtest.h>

namespace cape::test {
namespace {

TEST(Backlog, OfFiftyThousandSubjectsIsWorkedOffInBoundedMemory) {
  expect_backlog_is_worked_off(50'000);
}

}  // namespace
}  // namespace cape::test
