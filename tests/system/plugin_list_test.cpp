// `cape plugin list` tells what the files say they are.
#include <gtest/gtest.h>

#include <fstream>
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
  nlohmann::json record, journal;
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
      if (id == "record") record = plugin;
      if (id == "journal") journal = plugin;
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
  EXPECT_EQ(record.at("version"), "1.0.0");
  EXPECT_EQ(record.at("hash").get<std::string>().size(), 64u);
  EXPECT_EQ(record.at("wishes"), nlohmann::json::array({"state"}));
  EXPECT_EQ(record.at("granted"), nlohmann::json({{"seen.record", {"state"}}}));
  EXPECT_EQ(record.at("refused"), nlohmann::json::object());
  EXPECT_EQ(record.at("pinned"), nlohmann::json());
  EXPECT_EQ(record.at("restarts"), 0);
  EXPECT_TRUE(record.at("since").is_string()) << record.dump();
  EXPECT_TRUE(journal.at("since").is_string()) << journal.dump();
  EXPECT_EQ(journal.at("running"), 1) << journal.dump();
  EXPECT_TRUE(journal.at("level").is_string()) << journal.dump();
}

// The file serves, as far as it goes: why its lambda does not run it stands in the list and beside the file.
TEST(PluginList, TellsOfARefusedWishWhatStandsBesideTheFile) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
)");
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  const std::string why = "plugin 'record' 1.0.0 wants a state directory";

  nlohmann::json record, beside;
  const auto told = [&] {
    const Finished list = site.cape({"--json", "plugin", "list"});
    if (list.exit != 0) return false;
    const auto answer = nlohmann::json::parse(list.out);
    for (const auto& plugin : answer.at("plugins"))
      if (plugin.at("id") == "record") record = plugin;
    std::ifstream in(site.dir() / "plugins" / "record.status.json");
    beside = nlohmann::json::parse(in, nullptr, false);
    return record.is_object() && record.at("state") == "not_serving" && beside.is_object() &&
           beside.contains("trouble");
  };
  EXPECT_TRUE(Site::eventually(told, std::chrono::seconds(20))) << record << beside << site.up_log();
  EXPECT_EQ(record.at("trouble").value("seen.record", "").substr(0, why.size()), why) << record;
  EXPECT_EQ(beside.value("trouble", nlohmann::json::object()).value("seen/record", "").substr(0, why.size()), why)
      << beside;
}

}  // namespace
}  // namespace cape::test
