// A new version of a plugin on a part of the subjects: promoted, rolled back, over crashes.
#include "tests/system/canary.hpp"

#include <csignal>

namespace cape::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_P(CanaryTest, GoodVersionIsPromotedByStagesAndOrderHolds) {
  begin(R"({ share = "5%", for = "500ms", abort = "errors > 2x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return stable_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  EXPECT_EQ(subjects_with("1.0.0", 1).size(), static_cast<std::size_t>(subjects));
  EXPECT_EQ(subjects_with("2.0.0", rounds_).size(), static_cast<std::size_t>(subjects)) << "all have it now";
  EXPECT_TRUE(logged("gets 5% of the subjects")) << site_.up_log();
  EXPECT_TRUE(logged("gets 25% of the subjects")) << site_.up_log();
  EXPECT_THAT(verdict(), AllOf(HasSubstr("promoted: version 2.0.0"), HasSubstr("1.0.0")));
  expect_order();
  for (const auto& [subject, events] : ran()) {
    int changes = 0;
    for (std::size_t i = 1; i < events.size(); ++i) changes += events[i].version != events[i - 1].version;
    EXPECT_EQ(changes, 1) << subject << " has the new version from one promotion on, and never goes back";
  }
}

TEST_P(CanaryTest, VersionThatFailsMoreIsRolledBackWithBothNumbers) {
  begin(R"({ share = "20%", for = "1h", abort = "errors > 2x or p95 > 100x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_fails");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.1.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return !verdict().empty(); })) << state();
  EXPECT_THAT(verdict(), AllOf(HasSubstr("rolled back: version 2.1.0"), HasSubstr("events failed"),
                               HasSubstr("against 0 of"), HasSubstr("more than 2x")));
  EXPECT_TRUE(logged(verdict())) << site_.up_log();
  EXPECT_TRUE(eventually([&] { return stable_is("1.0.0"); })) << state();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("1.0.0", rounds_).size(), static_cast<std::size_t>(subjects))
      << "nobody has it any more";
  EXPECT_TRUE(candidate_is("")) << "its file still lies there, and is not tried again: " << state();
  expect_order();
}

TEST_P(CanaryTest, SlowerVersionIsRolledBack) {
  begin(R"({ share = "20%", for = "1h", abort = "p95 > 2x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_slow");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.2.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return !verdict().empty(); })) << state();
  EXPECT_THAT(verdict(),
              AllOf(HasSubstr("rolled back: version 2.2.0"), HasSubstr("p95"), HasSubstr("against")));
  EXPECT_TRUE(eventually([&] { return stable_is("1.0.0"); })) << state();
}

TEST_P(CanaryTest, FewerThanAHundredEventsWaitAndAreTold) {
  begin(R"({ share = "5%", for = "300ms" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();  // about 15 events of the candidate
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  ASSERT_TRUE(eventually([&] { return canary_of().value("extensions", 0) >= 2; })) << state();
  EXPECT_TRUE(candidate_is("2.0.0")) << state();
  EXPECT_EQ(canary_of().value("share", json()), "5%");
  EXPECT_TRUE(logged("nothing is compared below 100")) << site_.up_log();
}

TEST_P(CanaryTest, GoesOnAfterKillWithTheSameShareAndTheSameSubjects) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  const std::set<std::string> before = subjects_with("2.0.0", 1);
  EXPECT_GT(before.size(), 20u);
  EXPECT_LT(before.size(), 120u);

  for (int kill = 0; kill < 2; ++kill) {
    site_.kill_up(SIGKILL);
    ASSERT_TRUE(site_.up()) << site_.up_log();
    feed();
    ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
    EXPECT_EQ(subjects_with("2.0.0", rounds_), before) << "the same subjects";
    EXPECT_EQ(subjects_with("1.0.0", rounds_).size(), subjects - before.size())
        << "though the file of that version is no more";
    EXPECT_EQ(canary_of().value("share", json()), "20%");
  }
  expect_order();
}

TEST_P(CanaryTest, IsPromotedAndRolledBackByHand) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  const Finished tried = site_.cape({"plugin", "rollback", "versioned", "--dry-run"});
  EXPECT_EQ(tried.exit, 0) << tried.err;
  EXPECT_TRUE(candidate_is("2.0.0")) << "a dry run changes nothing";

  const Finished back = site_.cape({"plugin", "rollback", "versioned", "--reason", "not today"});
  EXPECT_EQ(back.exit, 0) << back.err;
  EXPECT_THAT(back.out, AllOf(HasSubstr("rolled back: version 2.0.0"), HasSubstr("not today")));
  ASSERT_TRUE(eventually([&] { return candidate_is(""); })) << state();
  const Finished again = site_.cape({"plugin", "rollback", "versioned"});
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("no canary runs"));

  drop("versioned_3");
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  const Finished promoted = site_.cape({"plugin", "promote", "versioned"});
  EXPECT_EQ(promoted.exit, 0) << promoted.err;
  ASSERT_TRUE(eventually([&] { return stable_is("3.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("3.0.0", rounds_).size(), static_cast<std::size_t>(subjects));
  EXPECT_EQ(site_.cape({"plugin", "promote", "no_such"}).exit, 1);
  EXPECT_THAT(site_.cape({"audit"}).out,
              AllOf(HasSubstr("rollback"), HasSubstr("promote"), HasSubstr("not today")));

  site_.kill_up(SIGKILL);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  EXPECT_TRUE(eventually([&] { return stable_is("3.0.0") && candidate_is(""); })) << state();
}

TEST_P(CanaryTest, PinGivesAllSubjectsOneVersionUntilItIsTakenOff) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();

  const Finished pinned = site_.cape({"plugin", "pin", "versioned", "2.0.0"});
  ASSERT_EQ(pinned.exit, 0) << pinned.err;
  ASSERT_TRUE(eventually([&] { return stable_is("2.0.0") && candidate_is(""); })) << state();
  drop("versioned_3");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("2.0.0", rounds_).size(), static_cast<std::size_t>(subjects));

  const Finished unpinned = site_.cape({"plugin", "unpin", "versioned"});
  ASSERT_EQ(unpinned.exit, 0) << unpinned.err;
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  EXPECT_TRUE(stable_is("2.0.0")) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_GT(subjects_with("3.0.0", rounds_).size(), 20u);
  expect_order();
}

TEST_P(CanaryTest, ThirdVersionTakesThePlaceOfTheCandidate) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_3");
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  EXPECT_EQ(subjects_with("3.0.0", rounds_), subjects_with("2.0.0", 1));
  EXPECT_THAT(subjects_with("2.0.0", rounds_), IsEmpty());
  EXPECT_TRUE(stable_is("1.0.0")) << state();
  expect_order();
}

INSTANTIATE_TEST_SUITE_P(Cape, CanaryTest, testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& arrangement) { return name_of(arrangement.param); });

}  // namespace
}  // namespace cape::test
