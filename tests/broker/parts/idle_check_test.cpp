#include "broker/idle_check.hpp"

#include <gtest/gtest.h>

namespace cape::broker {
namespace {

TEST(IdleCheck, IsIdleAfterAQuietSweepFoundNothing) {
  IdleCheck check;

  EXPECT_EQ(check.step({.quiet = false}), IdleStep::wait);
  EXPECT_EQ(check.step({.quiet = true, .activity = 5}), IdleStep::start_sweep);
  EXPECT_EQ(check.step({.quiet = true, .activity = 5}), IdleStep::wait);
  EXPECT_EQ(check.step({.quiet = true, .activity = 5, .sweep_complete = true}), IdleStep::sync);
  EXPECT_EQ(check.step({.quiet = false, .activity = 5, .sweep_complete = true}), IdleStep::wait);
  EXPECT_EQ(check.step({.quiet = true, .activity = 5, .sweep_complete = true}), IdleStep::idle);
}

TEST(IdleCheck, BeginsAnewWhenAPingCameDuringTheSweep) {
  IdleCheck check;
  check.step({.quiet = true, .activity = 5});

  EXPECT_EQ(check.step({.quiet = true, .activity = 6, .sweep_complete = true}), IdleStep::start_sweep);
  EXPECT_EQ(check.step({.quiet = true, .activity = 6, .sweep_complete = true}), IdleStep::sync);
}

TEST(IdleCheck, BeginsAnewWhenAPingCameDuringTheSync) {
  IdleCheck check;
  check.step({.quiet = true, .activity = 5});
  check.step({.quiet = true, .activity = 5, .sweep_complete = true});

  EXPECT_EQ(check.step({.quiet = true, .activity = 6, .sweep_complete = true}), IdleStep::start_sweep);
}

TEST(IdleCheck, IsNotIdleWhileTheSweepFindsSubjectsThatCanRun) {
  IdleCheck check;
  check.step({.quiet = true, .activity = 5});

  EXPECT_EQ(check.step({.quiet = true, .activity = 5, .sweep_complete = true, .sweep_behind = 1}), IdleStep::wait);
  EXPECT_EQ(check.step({.quiet = true, .activity = 5}), IdleStep::start_sweep);
}

TEST(IdleCheck, TellsWhenAllThatIsBehindIsStopped) {
  IdleCheck check;
  check.step({.quiet = true});
  check.step({.quiet = true, .sweep_complete = true, .sweep_stopped = 2});

  EXPECT_EQ(check.step({.quiet = true, .sweep_complete = true, .sweep_stopped = 2}), IdleStep::idle_stopped);
}

}  // namespace
}  // namespace cape::broker
