// What the files of a plugin with a canary mean: which are told as serving, and what becomes of one that is removed.
#include "tests/system/canary.hpp"

namespace cape::test {
namespace {

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

INSTANTIATE_TEST_SUITE_P(Cape, CanaryFiles, testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& arrangement) { return name_of(arrangement.param); });

}  // namespace
}  // namespace cape::test
