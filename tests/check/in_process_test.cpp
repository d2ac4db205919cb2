// Without child and sandbox: the same checks, but for those that need a child, and what crashes the plugin
// crashes the process.
#include <gmock/gmock.h>
#include <signal.h>

#include "host/check/checker.hpp"

namespace cape::check {
namespace {

using testing::HasSubstr;

CheckReport check_here(const std::string& guest, CheckOptions options = {}) {
  options.in_process = true;
  auto report = check_plugin(std::string(CAPE_CHECK_PLUGINS) + "/" + guest + ".so", options);
  if (report) return std::move(*report);
  ADD_FAILURE() << report.error().message;
  return {};
}

TEST(InProcess, RightLambdaPassesAllButTheChecksThatNeedAChild) {
  std::string skipped;
  for (const Checked& one : check_here("good_lambda").checks) {
    if (one.id[0] == 'E') continue;
    if (one.finding.verdict == Verdict::skipped) {
      skipped += one.id + " ";
      EXPECT_THAT(one.finding.text, HasSubstr("not checked in this process: "));
    } else {
      EXPECT_EQ(one.finding.verdict, Verdict::pass) << one.id << ": " << one.finding.text;
    }
  }
  EXPECT_EQ(skipped, "L2 L3 C10 C11 ");
}

TEST(InProcess, RightSourcePassesEverythingOfASource) {
  CheckOptions options;
  options.only = {"S", "L1", "E"};
  const CheckReport report = check_here("good_source", options);

  EXPECT_EQ(report.checks.size(), 17u);
  for (const Checked& one : report.checks)
    EXPECT_EQ(one.finding.verdict, Verdict::pass) << one.id << ": " << one.finding.text;
}

class FailsInProcess : public testing::TestWithParam<const char*> {};

TEST_P(FailsInProcess, AsInAChild) {
  const std::string id = GetParam();
  CheckOptions options;
  options.only = {id};

  const CheckReport report = check_here(id, options);

  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_EQ(report.checks[0].finding.verdict, Verdict::fail) << report.checks[0].finding.text;
}
INSTANTIATE_TEST_SUITE_P(All, FailsInProcess,
                         testing::Values("S2", "S5", "L1", "L4", "L5", "C2", "C4", "C5", "C12", "C13", "C14",
                                         "C15", "E2", "E3", "E7"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(InProcessDeathTest, WhatCrashesThePluginCrashesThisProcess) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  CheckOptions options;
  options.only = {"C3"};

  EXPECT_EXIT(check_here("C3", options), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace cape::check
