// What the files of a plugin with a canary mean: which are told as serving, and what becomes of one that is removed.
#include "tests/system/canary.hpp"

#include <csignal>

namespace cape::test {
namespace {

using testing::HasSubstr;

class CanaryFiles : public CanaryTest {};

TEST_P(CanaryFiles, ListAndStatusFileNameTheVersionsThatRun) {
  begin(R"({ share = "20%", for = "1h" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  expect_told("1.0.0", "serving", "2.0.0", "serving", "serves");

  ASSERT_EQ(site_.cape({"plugin", "rollback", "versioned"}).exit, 0);
  feed();
  expect_told("1.0.0", "serving", "2.0.0", "stands_by", "stands_by");
  EXPECT_TRUE(eventually([&] { return runs("1.0.0") && !runs("2.0.0"); })) << entry("2.0.0").dump();

  ASSERT_EQ(site_.cape({"plugin", "promote", "versioned"}).exit, 0);
  feed();
  expect_told("1.0.0", "stands_by", "2.0.0", "serving", "serves");
  EXPECT_TRUE(eventually([&] { return runs("2.0.0") && !runs("1.0.0"); })) << entry("1.0.0").dump();
}

TEST_P(CanaryFiles, CandidateWhoseOnlyFileIsRemovedIsRolledBackAndTheOtherServesOn) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  fs::remove(file());
  feed();
  EXPECT_TRUE(eventually([&] { return all_ran(); })) << "nothing stops\n" << state();
  ASSERT_TRUE(eventually([&] { return candidate_is(""); })) << state();
  EXPECT_THAT(verdict(), HasSubstr("no host's plugin directory has it any more"));
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("1.0.0", rounds_).size(), static_cast<std::size_t>(subjects));
  EXPECT_EQ(entry("1.0.0").value("state", ""), "serving") << entry("1.0.0").dump();

  site_.kill_up(SIGKILL);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  feed();
  EXPECT_TRUE(eventually([&] { return all_ran(); })) << "from what is kept\n" << state();
  expect_order();
}

TEST_P(CanaryFiles, NothingRunsOnceTheFileOfTheVersionThatServesIsRemoved) {
  begin("{}");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  fs::remove(file());
  ASSERT_TRUE(eventually([&] { return logged("no plugin 'versioned'"); })) << state();
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  feed();

  const auto is_told = [&] {
    const Finished why = site_.cape({"why", "history", "s1"});
    return why.out.find("no plugin 'versioned'") != std::string::npos;
  };
  EXPECT_TRUE(eventually(is_told)) << site_.cape({"why", "history", "s1"}).out << state();
  EXPECT_TRUE(subjects_with("1.0.0", rounds_).empty());
  drop("versioned_1");
  EXPECT_TRUE(eventually([&] { return all_ran(); })) << state();
}

INSTANTIATE_TEST_SUITE_P(Cape, CanaryFiles, testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& arrangement) { return name_of(arrangement.param); });

}  // namespace
}  // namespace cape::test
