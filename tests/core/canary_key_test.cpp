// The key `canary` of topologies and lambdas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/config/shadow.hpp"
#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using test::good;
using test::mistakes_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string canary_topology(const std::string& keys, const std::string& lambda_keys = "") {
  return "[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\n" + keys +
         "\n[topology.t.lambda.l]\nplugin = \"p\"\n" + lambda_keys;
}
CanaryPolicy policy_of(const std::string& keys, const std::string& lambda_keys = "") {
  const Config config = good(canary_topology(keys, lambda_keys));
  return config.topologies.at(0).lambdas.at(0).canary.value_or(CanaryPolicy{.share = 0});
}

TEST(CanaryKey, OfATopologyHoldsForItsLambdas) {
  EXPECT_EQ(policy_of(R"(canary = { share = "2.5%", for = "90s", abort = "errors > 3x or p95 > 1.5x" })"),
            (CanaryPolicy{.share = 250, .for_ms = 90'000, .errors_factor = 3, .p95_factor = 1.5}));
}

TEST(CanaryKey, OfALambdaWinsOverItsTopologys) {
  EXPECT_EQ(policy_of(R"(canary = { share = "5%" })", R"(canary = { share = "50%" })").share, 5000u);
}

TEST(CanaryKey, HasDefaultsForWhatItLeavesOut) {
  EXPECT_EQ(policy_of("canary = {}"),
            (CanaryPolicy{.share = 500, .for_ms = 600'000, .errors_factor = 2, .p95_factor = 2}));
}

TEST(CanaryKey, ComparesOnlyWhatAbortNames) {
  const CanaryPolicy policy = policy_of(R"(canary = { abort = "p95 > 4x" })");

  EXPECT_EQ(policy.errors_factor, 0);
  EXPECT_EQ(policy.p95_factor, 4);
}

TEST(CanaryKey, AbsentMeansNone) {
  EXPECT_FALSE(good(canary_topology("")).topologies.at(0).lambdas.at(0).canary.has_value());
}

TEST(CanaryKey, IsNotTheShadows) {
  const Config config = with_shadows(good(canary_topology("canary = {}")));

  EXPECT_TRUE(config.topologies.at(0).lambdas.at(0).canary.has_value());
  EXPECT_FALSE(config.topologies.at(1).lambdas.at(0).canary.has_value());
}

TEST(CanaryKey, MistakesSayWhatWasExpected) {
  EXPECT_THAT(mistakes_of(canary_topology(R"(canary = { share = "5", for = "1", abort = "errors > 0.5x" })")),
              ElementsAre(AllOf(HasSubstr("canary.share"), HasSubstr("found \"5\"")), HasSubstr("canary.for"),
                          AllOf(HasSubstr("canary.abort"), HasSubstr("errors > 2x"))));
  EXPECT_THAT(mistakes_of(canary_topology(R"(canary = { share = "101%", abort = "p95 > 2x or p95 > 3x" })")),
              ElementsAre(HasSubstr("canary.share"), HasSubstr("canary.abort")));
  EXPECT_THAT(mistakes_of(canary_topology(R"(canary = { abort = "errors > 2x or" })")),
              ElementsAre(HasSubstr("canary.abort")));
  EXPECT_THAT(mistakes_of(canary_topology("canary = true")),
              ElementsAre(HasSubstr("canary: expected a table")));
  EXPECT_THAT(mistakes_of(canary_topology("canary = { shar = \"5%\" }")), ElementsAre(HasSubstr("share")));
}

TEST(CanaryKey, IsRefusedWhereTwoVersionsWouldWriteTheSameFiles) {
  EXPECT_THAT(mistakes_of(canary_topology("canary = {}", "grant = { state = true }")),
              ElementsAre(AllOf(HasSubstr("topology.t.canary"), HasSubstr("state or write grant"))));
  EXPECT_THAT(mistakes_of(canary_topology("", "grant = { write = [\"out\"] }\ncanary = {}")),
              ElementsAre(AllOf(HasSubstr("topology.t.lambda.l.canary"), HasSubstr("state or write grant"))));
}

}  // namespace
}  // namespace cape
