// What a plugin may use and touch, as the file says it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using test::good;
using test::mistakes_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::string lambda_with(const std::string& keys) {
  return "[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\n[topology.t.lambda.l]\nplugin = \"p\"\n" +
         keys;
}

TEST(PluginKeys, LimitsHaveDefaults) {
  const Limits limits = good(lambda_with("")).topologies[0].lambdas[0].limits;

  EXPECT_EQ(limits.memory_bytes, 512u << 20);
  EXPECT_EQ(limits.recycle_bytes, 384u << 20);
  EXPECT_EQ(limits.log_lines_per_s, 100u);
  EXPECT_EQ(limits.cpu_cores, 0);
}

TEST(PluginKeys, ProcessorMemoryToRecycleAtAndLogLinesAreSet) {
  const Limits limits =
      good(lambda_with("limits = { memory = \"64MiB\", recycle = \"20MiB\", cpu = 1.5, log_lines = 7 }"))
          .topologies[0]
          .lambdas[0]
          .limits;

  EXPECT_EQ(limits.recycle_bytes, 20u << 20);
  EXPECT_EQ(limits.log_lines_per_s, 7u);
  EXPECT_EQ(limits.cpu_cores, 1.5);
}

TEST(PluginKeys, RecycleFollowsMemoryAndLiesBelowIt) {
  EXPECT_EQ(
      good(lambda_with("limits = { memory = \"100MiB\" }")).topologies[0].lambdas[0].limits.recycle_bytes,
      75u << 20);
  EXPECT_THAT(mistakes_of(lambda_with("limits = { memory = \"64MiB\", recycle = \"65MiB\" }")),
              ElementsAre(HasSubstr("limits.recycle: is above limits.memory")));
}

TEST(PluginKeys, NoProcessorAndNoLogAreMistakes) {
  EXPECT_THAT(mistakes_of(lambda_with("limits = { cpu = 0, log_lines = 0 }")),
              testing::UnorderedElementsAre(HasSubstr("limits.cpu: expected a number from 0.01"),
                                            HasSubstr("limits.log_lines: expected")));
}

TEST(PluginKeys, NetworkIsAListOfPorts) {
  const Grant grant = good(lambda_with("grant = { network = [443, 5432] }")).topologies[0].lambdas[0].grant;

  EXPECT_THAT(grant.network, ElementsAre(443, 5432));
  EXPECT_FALSE(grant.empty());
  EXPECT_FALSE(grant.has_files());
}

TEST(PluginKeys, NetworkWithoutPortsOrWithOthersIsAMistake) {
  for (const char* wrong : {"true", "443", "[0]", "[65536]", "[\"https\"]"})
    EXPECT_THAT(mistakes_of(lambda_with(std::string("grant = { network = ") + wrong + " }")),
                ElementsAre(HasSubstr("grant.network: expected")))
        << wrong;
}

}  // namespace
}  // namespace cape
