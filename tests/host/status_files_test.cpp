// What stands beside a plugin file about it.
#include "host/child/status_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/fakes/temp_dir.hpp"

namespace cape::child {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

constexpr std::int64_t noon_ns = 1'700'000'000 * ns_per_s;

class StatusFilesTest : public ::testing::Test {
 protected:
  FileVerdict good(const std::string& name, const std::string& hash) const {
    auto image = std::make_shared<PluginImage>();
    image->id = "shout";
    image->version = "1.2.0";
    image->hash = hash;
    return {.file = dir / name, .watched = true, .image = image};
  }
  json told(const std::string& name) const {
    return json::parse(test::read_file(dir / name), nullptr, false);
  }

  test::TempDir dir;
  StatusFiles files{[](const std::string&) { return true; }};
};

TEST_F(StatusFilesTest, TellsTheVerdictBesideThePlugin) {
  FileVerdict bad = good("b.so", "h1");
  bad.state = FileVerdict::State::set_aside;
  bad.hash = "h2";
  bad.reason = "it has no manifest";
  FileVerdict spare = good("c.so", "h0");
  spare.state = FileVerdict::State::stands_by;

  files.update({good("a.so", "h1"), bad, spare}, {{"h1", {{"audit/write", "it crashes"}}}}, noon_ns);

  EXPECT_EQ(told("a.status.json"), (json{{"file", "a.so"},
                                         {"state", "serves"},
                                         {"id", "shout"},
                                         {"version", "1.2.0"},
                                         {"hash", "h1"},
                                         {"trouble", {{"audit/write", "it crashes"}}},
                                         {"since", "2023-11-14T22:13:20Z"}}));
  EXPECT_EQ(told("b.status.json")["reason"], "it has no manifest");
  EXPECT_EQ(told("b.status.json")["hash"], "h2");
  EXPECT_EQ(told("b.status.json")["still_good"]["hash"], "h1");
  EXPECT_EQ(told("c.status.json")["state"], "stands_by");
}

TEST_F(StatusFilesTest, KeepsItsTimeUntilTheVerdictIsAnotherOne) {
  files.update({good("a.so", "h1")}, {}, noon_ns);
  files.update({good("a.so", "h1")}, {}, noon_ns + ns_per_s);
  EXPECT_EQ(told("a.status.json")["since"], "2023-11-14T22:13:20Z");

  files.update({good("a.so", "h2")}, {}, noon_ns + ns_per_s);
  EXPECT_EQ(told("a.status.json")["since"], "2023-11-14T22:13:21Z");
}

TEST_F(StatusFilesTest, GoesWithItsPluginAndIsNotWrittenForABuiltInOne) {
  FileVerdict built_in = good("d.so", "h4");
  built_in.watched = false;
  files.update({good("a.so", "h1"), built_in}, {}, noon_ns);
  EXPECT_FALSE(std::filesystem::exists(dir / "d.status.json"));

  files.update({}, {}, noon_ns);

  EXPECT_FALSE(std::filesystem::exists(dir / "a.status.json"));
}

// Broker and host watch the same directory, and only one of them tells of a file.
TEST_F(StatusFilesTest, LeavesToTheOtherWriterWhatIsNotItsOwn) {
  bool ours = true;
  StatusFiles some([&](const std::string& plugin) { return ours || plugin.empty(); });
  some.update({good("a.so", "h1")}, {}, noon_ns);
  test::write_file(dir / "b.status.json", "the other's");

  ours = false;
  some.update({good("a.so", "h2"), good("b.so", "h3")}, {}, noon_ns);

  EXPECT_EQ(told("a.status.json")["hash"], "h1") << "it is the other's now: neither changed nor taken away";
  EXPECT_EQ(test::read_file(dir / "b.status.json"), "the other's");
  some.update({}, {}, noon_ns);
  EXPECT_TRUE(std::filesystem::exists(dir / "a.status.json"));
}

TEST_F(StatusFilesTest, BrokerTellsOfWhatOnlySourcesRun) {
  Config config;
  config.domains.push_back({.name = "history", .source = "files"});
  config.domains.push_back({.name = "other", .source = "both"});
  config.topologies.push_back({.name = "audit", .lambdas = {{.name = "write", .plugin = "both"}}});

  EXPECT_TRUE(runs_sources_alone(config, "files"));
  EXPECT_FALSE(runs_sources_alone(config, "both")) << "a host tells why a lambda of it does not run";
  EXPECT_FALSE(runs_sources_alone(config, "shout"));
  EXPECT_FALSE(runs_sources_alone(config, ""));
}

// A link there may lead to any file of the host.
TEST_F(StatusFilesTest, DoesNotReplaceOrFollowALink) {
  test::write_file(dir / "precious", "keep");
  ASSERT_EQ(::symlink((dir / "precious").c_str(), (dir / "a.status.json").c_str()), 0);

  files.update({good("a.so", "h1")}, {}, noon_ns);
  files.update({}, {}, noon_ns);

  EXPECT_EQ(test::read_file(dir / "precious"), "keep");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "a.status.json"));
}

}  // namespace
}  // namespace cape::child
