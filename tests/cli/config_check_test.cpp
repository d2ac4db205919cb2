#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* three_mistakes = R"(data_dir = "data"
refersh = 1

[domain.history]
source = 7

[topology.audit]
domain = "histroy"
)";

TEST(ConfigCheck, RightFileIsCountedAndExitsWith0) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);

  const Ran ran = cape.run({"config", "check"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("no mistakes"), HasSubstr("domains: 2"), HasSubstr("topologies: 1")));
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST(ConfigCheck, EveryMistakeIsToldAtOnceWithItsLine) {
  CapeProcess cape;
  cape.write("cape.toml", three_mistakes);

  const Ran ran = cape.run({"config", "check"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("refersh"), HasSubstr("domain.history.source"), HasSubstr("topology.audit")));
  EXPECT_THAT(ran.err, AllOf(HasSubstr(":2"), HasSubstr(":5"), HasSubstr(":8")));
}

TEST(ConfigCheck, MistakesAreAlsoJson) {
  CapeProcess cape;
  cape.write("cape.toml", three_mistakes);

  const Ran ran = cape.run({"--json", "config", "check"});

  EXPECT_EQ(ran.exit, 2);
  const auto answer = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(answer.is_object()) << ran.out;
  EXPECT_EQ(answer["ok"], false);
  ASSERT_GE(answer["mistakes"].size(), 3u);
  EXPECT_EQ(answer["mistakes"][0]["line"], 2);
  EXPECT_EQ(answer["mistakes"][0]["key"], "refersh");
}

TEST(ConfigCheck, GrantsOfDirectoriesThatAreNotThereAreMistakesWithLineAndKey) {
  CapeProcess cape;
  cape.write("file.txt", "");
  fs::create_directories(cape.directory() / "there");
  cape.write("cape.toml", R"([domain.d]
source = "files"
grant = { read = ["there", "nowhere"] }
[topology.t]
domain = "d"
[topology.t.lambda.l]
plugin = "p"
[topology.t.lambda.l.grant]
read = ["there"]
write = ["file.txt"]
)");

  const Ran ran = cape.run({"config", "check"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err, AllOf(HasSubstr(":3: domain.d.grant.read: "), HasSubstr("nowhere\" does not exist")));
  EXPECT_THAT(ran.err, AllOf(HasSubstr(":10: topology.t.lambda.l.grant.write: "),
                             HasSubstr("file.txt\" is no directory")));
  EXPECT_THAT(ran.err, Not(HasSubstr("there\""))) << "that one is right";
  EXPECT_THAT(ran.err, Not(HasSubstr("\n\n")));
  EXPECT_EQ(nlohmann::json::parse(cape.run({"config", "check", "--json"}).out)["mistakes"].size(), 2u);

  fs::create_directories(cape.directory() / "nowhere");
  fs::remove(cape.directory() / "file.txt");
  fs::create_directories(cape.directory() / "file.txt");
  EXPECT_EQ(cape.run({"config", "check"}).exit, 0);
}

TEST(ConfigCheck, OtherCommandsDoNotNeedTheDirectoriesOfGrants) {
  CapeProcess cape;
  cape.write("cape.toml",
             "[domain.d]\nsource = \"journal\"\n[topology.t]\ndomain = \"d\"\n[topology.t.lambda.l]\n"
             "plugin = \"p\"\ngrant = { read = [\"nowhere\"] }\n");

  EXPECT_EQ(cape.run({"append", "d", "a"}).exit, 0) << "a client's machine has no plugins";
}

TEST(ConfigCheck, BrokenTomlIsToldWithItsLine) {
  CapeProcess cape;
  cape.write("cape.toml", "data_dir = \"data\"\n[domain.history\n");

  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"config", "check"}, {"append", "history", "a"}}) {
    const Ran ran = cape.run(line);

    EXPECT_EQ(ran.exit, 2);
    EXPECT_THAT(ran.err, HasSubstr("cape.toml:2"));
  }
  EXPECT_FALSE(fs::exists(cape.directory() / "data"));
}

}  // namespace
}  // namespace cape::cli
