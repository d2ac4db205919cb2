// `cape plugin list` tells what the files say they are.
#include <gtest/gtest.h>

#include <map>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

TEST(PluginList, ShowsEachPluginAsWhatItsManifestSays) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)");
  site.add_plugin("record");
  site.add_plugin("liar");  // a source that no domain names
  site.add_plugin("segv");  // a lambda that no topology names
  ASSERT_TRUE(site.up()) << site.up_log();

  std::multimap<std::string, std::string> kinds;
  std::map<std::string, std::string> states;
  bool troubles_are_objects = true;
  Finished list;
  const auto listed = [&] {
    kinds.clear();
    list = site.cape({"--json", "plugin", "list"});
    if (list.exit != 0) return false;
    const auto answer = nlohmann::json::parse(list.out);
    for (const auto& plugin : answer.at("plugins")) {
      const auto id = plugin.at("id").get<std::string>();
      kinds.emplace(id, plugin.at("kind").get<std::string>());
      states[id] = plugin.at("state").get<std::string>();
      troubles_are_objects = troubles_are_objects && plugin.at("trouble").is_object();
    }
    return kinds.contains("journal") && kinds.contains("liar") && kinds.contains("segv") &&
           states["record"] == "serving" && states["journal"] == "serving";
  };
  ASSERT_TRUE(Site::eventually(listed, std::chrono::seconds(20))) << list.out << list.err << site.up_log();

  EXPECT_EQ(kinds.count("journal"), 1u);
  EXPECT_EQ(kinds.find("journal")->second, "source");
  EXPECT_EQ(kinds.count("record"), 1u);
  EXPECT_EQ(kinds.find("record")->second, "lambda");
  EXPECT_EQ(kinds.count("liar"), 1u);
  EXPECT_EQ(kinds.find("liar")->second, "source");
  EXPECT_EQ(states["liar"], "unused");
  EXPECT_EQ(kinds.count("segv"), 1u);
  EXPECT_EQ(states["segv"], "unused") << "no topology names it";
  EXPECT_TRUE(troubles_are_objects) << list.out;
}

}  // namespace
}  // namespace cape::test
