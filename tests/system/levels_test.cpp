// What a kernel refuses is named with the level that is left, and below the required one no plugin runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Levels : public ::testing::Test {
 protected:
  void configure(const std::string& require) {
    site_.configure("sandbox = { require = \"" + require + R"(" }
[domain.history]
source = "journal"
[topology.audit]
domain = "history"
[topology.audit.lambda.write]
plugin = "audit_log"
grant = { state = true }
)");
    ASSERT_EQ(site_.cape({"append", "history", "order/17", "--no-ping"}).exit, 0);
  }
  nlohmann::json plugins() const {
    const Finished told = site_.cape({"plugin", "list", "--json"});
    EXPECT_EQ(told.exit, 0) << told.err;
    return nlohmann::json::parse(told.out, nullptr, false);
  }
  // The level of the source's child and of the lambda's, once the host has told of both.
  std::vector<std::string> levels() const {
    std::vector<std::string> levels;
    Site::eventually(
        [&] {
          levels.clear();
          const auto told = plugins();
          for (const auto& plugin : told.at("plugins"))
            for (const auto& child : plugin.at("children"))
              if (child.at("level") != "-") levels.push_back(child.at("level"));
          return levels.size() >= 2;
        },
        std::chrono::seconds(30));
    return levels;
  }
  // Both plugins are set aside, for a reason with `why` in it.
  void expect_refused(const std::string& why) {
    ASSERT_TRUE(
        Site::eventually([&] { return plugins().at("set_aside").size() >= 2; }, std::chrono::seconds(30)))
        << site_.up_log();
    const auto told = plugins();
    for (const auto& aside : told.at("set_aside"))
      EXPECT_THAT(aside.at("reason").get<std::string>(), HasSubstr(why));
    EXPECT_TRUE(audited(site_.data() / "state" / "audit" / "write").empty()) << "a plugin ran all the same";
  }
  bool audited_all() const {
    return Site::eventually([&] { return audited(site_.data() / "state" / "audit" / "write").size() == 1; },
                            std::chrono::seconds(30));
  }

  Site site_;
};

TEST_F(Levels, WithoutUserNamespacesPluginsRunAtLevelCIfThatIsEnough) {
  configure("C");
  site_.on_kernel_without("userns");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  EXPECT_TRUE(audited_all()) << site_.up_log();
  EXPECT_THAT(levels(), ::testing::ElementsAre("C", "C"));
  EXPECT_THAT(site_.up_log(), HasSubstr("userns: "));
}

TEST_F(Levels, BelowTheRequiredLevelNoPluginRunsAndTheMissingLayersAreNamed) {
  configure("B");
  site_.on_kernel_without("userns");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  expect_refused("sandbox level C is below the required level B; missing: userns: ");
  // Of the source, too: which was found, and is refused.
  const auto why = [&] { return site_.cape({"why", "history", "order/17"}).out; };
  const auto is_told = [&] {
    return why().find("sandbox level C is below the required level B; missing: userns: ") != std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(is_told, std::chrono::seconds(30))) << why();
  const auto told = plugins();
  for (const auto& plugin : told.at("plugins")) {
    if (plugin.at("id") != "journal") continue;
    EXPECT_THAT(plugin.at("trouble").dump(),
                AllOf(HasSubstr("journal.so is set aside: "), HasSubstr("missing: userns: "),
                      HasSubstr("or accept less with `sandbox = ")));
  }
}

TEST_F(Levels, WithoutSeccompNoPluginRunsAtLevelC) {
  configure("C");
  site_.on_kernel_without("seccomp");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  expect_refused("sandbox level D is below the required level C");
}

TEST_F(Levels, WithoutSeccompPluginsRunAtLevelDIfThatIsEnough) {
  configure("D");
  site_.on_kernel_without("seccomp");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  EXPECT_TRUE(audited_all()) << site_.up_log();
  EXPECT_THAT(levels(), ::testing::ElementsAre("D", "D"));
  EXPECT_THAT(site_.up_log(), HasSubstr("seccomp: filters need a kernel with CONFIG_SECCOMP_FILTER"));
}

TEST_F(Levels, WithoutSeccompTheDefaultRefusesAndNamesLayerAndRemedy) {
  configure("B");
  site_.on_kernel_without("seccomp");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  expect_refused("sandbox level D is below the required level B; missing: ");
  const auto told = plugins();
  for (const auto& aside : told.at("set_aside"))
    EXPECT_THAT(aside.at("reason").get<std::string>(),
                AllOf(HasSubstr("seccomp: filters need a kernel with CONFIG_SECCOMP_FILTER"),
                      HasSubstr("or accept less with `sandbox = { require = \"D\" }` in cape.toml")));
}

TEST_F(Levels, WithoutLandlockTheOtherWallsMakeLevelB) {
  configure("B");
  site_.on_kernel_without("landlock");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  EXPECT_TRUE(audited_all()) << site_.up_log();
  EXPECT_THAT(levels(), ::testing::ElementsAre("B", "B"));
  EXPECT_THAT(site_.up_log(), HasSubstr("landlock: "));
}

TEST_F(Levels, LevelAIsRefusedWhereALayerOfItIsMissing) {
  configure("A");
  site_.on_kernel_without("landlock");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  expect_refused("sandbox level B is below the required level A; missing: ");
}

TEST_F(Levels, NetworkIsNotGrantedWhereNothingWouldKeepItsPorts) {
  site_.configure(R"([domain.history]
source = "journal"
[topology.audit]
domain = "history"
[topology.audit.lambda.write]
plugin = "audit_log"
grant = { state = true, network = [443] }
)");
  ASSERT_EQ(site_.cape({"append", "history", "order/17", "--no-ping"}).exit, 0);
  site_.on_kernel_without("landlock");

  ASSERT_TRUE(site_.up()) << site_.up_log();

  EXPECT_TRUE(Site::eventually(
      [&] { return site_.up_log().find("grant.network needs landlock ABI 4") != std::string::npos; },
      std::chrono::seconds(30)))
      << site_.up_log();
  EXPECT_TRUE(audited(site_.data() / "state" / "audit" / "write").empty()) << "it ran all the same";
}

}  // namespace
}  // namespace cape::test
