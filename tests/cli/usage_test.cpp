// What a person meets first: help, mistakes on the command line, commands that plugins bring.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(CapeUsage, HelpHasExamplesAndExitCodes) {
  CapeProcess cape;

  const Ran ran = cape.run({"--help"});

  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Examples:"), HasSubstr("4 no broker reached"), HasSubstr("append")));
  for (const char* command : {"append", "ping", "subject", "status", "monitor"}) {
    EXPECT_THAT(cape.run({command, "--help"}).out, HasSubstr("Examples:")) << command;
  }
}

TEST(CapeUsage, MistakesOnTheCommandLineExitWith2) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  const std::vector<std::vector<std::string>> lines{
      {},
      {"--no-such-option"},
      {"append"},
      {"append", "history"},
      {"append", "history", "a", "b"},
      {"append", "history", "a", "--sequence", "zero"},
      {"append", "history", "a", "--sequence", "0"},
      {"append", "history", "a", "--jsonl", "-"},
      {"append", "history", "--jsonl", "-", "--type", "t"},
      {"ping", "history"},
      {"ping", "history", "a", "--sequence", "-1"},
      {"subject", "history"},
      {"plugin"},
      {"plugin", "lost"},
      {"topology", "--all"},
      {"config"},
      {"help", "apend"},
      {"help", "plugin", "lst"},
  };
  for (const auto& line : lines) {
    const Ran ran = cape.run(line);

    EXPECT_EQ(ran.exit, 2) << testing::PrintToString(line) << ran.err;
    EXPECT_THAT(ran.out, IsEmpty()) << testing::PrintToString(line);
    EXPECT_THAT(ran.err, AllOf(StartsWith("cape: "), AnyOf(HasSubstr("--help"), HasSubstr("cape help"))))
        << testing::PrintToString(line);
  }
}

TEST(CapeUsage, HelpAndVersionAreCommandsToo) {
  CapeProcess cape;

  EXPECT_EQ(cape.run({"help"}).out, cape.run({"--help"}).out);
  EXPECT_EQ(cape.run({"help", "append"}).out, cape.run({"append", "--help"}).out);
  EXPECT_EQ(cape.run({"help", "plugin", "list"}).out, cape.run({"plugin", "list", "--help"}).out);
  EXPECT_EQ(cape.run({"version"}).out, cape.run({"--version"}).out);
  EXPECT_TRUE(
      nlohmann::json::parse(cape.run({"version", "--json"}).out, nullptr, false)["version"].is_string());
  EXPECT_EQ(cape.run({"help"}).exit, 0);
}

TEST(CapeUsage, EveryFailureIsOneJsonObjectWithItsExitCode) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  cape.write("broken.toml", "refersh = 1\n");
  cape.write("afile", "");
  const std::vector<std::pair<int, std::vector<std::string>>> lines{
      {2, {}},
      {2, {"append"}},
      {2, {"append", "history", "a", "--no-such-option"}},
      {2, {"append", "histroy", "a"}},
      {2, {"append", "history", ""}},
      {2, {"append", "history", "--jsonl", "."}},
      {2, {"no-such-tool"}},
      {2, {"help", "nothing"}},
      {2, {"up", "--until-idle", "--timeout", "soon"}},
      {2, {"host", "--name", "a b"}},
      {2, {"search", "--limit", "0", "word"}},
      {2, {"search", "word"}},
      {2, {"config", "check", "--config", "broken.toml"}},
      {2, {"ping", "history", "a", "--config", "broken.toml"}},
      {2, {"subject", "history", "a", "--config", "nowhere.toml"}},
      {4, {"ping", "history", "a"}},
      {4, {"ping", "history", "a", "--ack"}},
      {4, {"status"}},
      {1, {"keys", "new", "--dir", "afile"}},
  };
  for (auto [exit, line] : lines) {
    line.push_back("--json");
    const Ran ran = cape.run(line);

    EXPECT_EQ(ran.exit, exit) << testing::PrintToString(line) << ran.err;
    const auto answer = nlohmann::json::parse(ran.out, nullptr, false);
    ASSERT_TRUE(answer.is_object() && answer.contains("error")) << testing::PrintToString(line) << ran.out;
    EXPECT_EQ(answer["error"]["exit"], exit) << testing::PrintToString(line);
    const std::string message = answer["error"]["message"];
    EXPECT_FALSE(message.empty()) << testing::PrintToString(line);
    EXPECT_EQ(ran.err, "cape: " + message + "\n") << "the same text for people";
  }
}

TEST(CapeUsage, MistakesOfTheConfigStandBesideTheError) {
  CapeProcess cape;
  cape.write("cape.toml", "refersh = 1\n");

  const Ran ran = cape.run({"append", "history", "a", "--json"});

  const auto answer = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(answer.is_object()) << ran.out;
  EXPECT_EQ(answer["error"]["code"], "usage");
  EXPECT_EQ(answer["mistakes"][0]["line"], 1);
  EXPECT_EQ(answer["mistakes"][0]["key"], "refersh");
  EXPECT_THAT(ran.err, Not(HasSubstr("\n\n"))) << "no blank line behind the mistakes";
}

TEST(CapeUsage, MonitorWithoutABrokerExitsWith4) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  cape.write("tcp.toml", std::string("listen = { monitor = \"tcp://127.0.0.1:9\" }\n") + small_config);
  for (const char* config : {"cape.toml", "tcp.toml"}) {
    const Ran ran = cape.run({"monitor", "--once", "--config", config});

    EXPECT_EQ(ran.exit, 4) << config << ran.err;
    EXPECT_THAT(ran.out, IsEmpty());
    EXPECT_THAT(ran.err, HasSubstr("no broker")) << config;
  }
}

TEST(CapeUsage, DomainThatIsNotConfiguredIsNamedBesideThoseThatAre) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  for (const char* command : {"append", "ping", "subject"}) {
    const Ran ran = cape.run({command, "histroy", "a"});

    EXPECT_EQ(ran.exit, 2) << command;
    EXPECT_THAT(ran.err, AllOf(HasSubstr("domain 'histroy'"), HasSubstr("history, foreign"))) << command;
  }
}

TEST(CapeUsage, SubjectThatCannotBeExitsWith2) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  for (const std::string& subject : {std::string(), std::string(256, 's'), std::string("\xff")}) {
    for (const char* command : {"append", "ping", "subject"}) {
      const Ran ran = cape.run({command, "history", subject});

      EXPECT_EQ(ran.exit, 2) << command << " " << ran.err;
      EXPECT_THAT(ran.err, HasSubstr("cape: the subject ")) << command;
    }
  }
  EXPECT_EQ(cape.run({"append", "history", std::string(255, 's')}).exit, 0);
}

TEST(CapeUsage, MissingConfigFileIsNamedWithTheNextStep) {
  CapeProcess cape;

  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"append", "history", "a"}, {"subject", "history", "a"}, {"status"}, {"config", "check"}}) {
    const Ran ran = cape.run(line);

    EXPECT_EQ(ran.exit, 2) << line[0];
    EXPECT_THAT(ran.err, AllOf(HasSubstr("cape.toml"), HasSubstr("--config"))) << line[0];
  }
}

TEST(CapeUsage, ConfigFileIsTheOptionThenTheVariableThenTheOneHere) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  cape.write("variable.toml", "data_dir = \"variable\"\n[domain.d]\nsource = \"journal\"\n");
  cape.write("option.toml", "data_dir = \"option\"\n[domain.d]\nsource = \"journal\"\n");
  ASSERT_EQ(cape.run({"append", "history", "a"}).exit, 0);
  EXPECT_TRUE(fs::exists(cape.directory() / "data/journal/history/events.db"));

  cape.set("CAPE_CONFIG", "variable.toml");
  ASSERT_EQ(cape.run({"append", "d", "a"}).exit, 0);
  EXPECT_TRUE(fs::exists(cape.directory() / "variable/journal/d/events.db"));

  ASSERT_EQ(cape.run({"append", "d", "a", "--config", "option.toml"}).exit, 0);
  EXPECT_TRUE(fs::exists(cape.directory() / "option/journal/d/events.db"));
}

TEST(CapeUsage, AnswerThatCouldNotBeWrittenIsAFailure) {
  CapeProcess cape;
  cape.write("cape.toml", small_config);
  // cape's stdout is a file of the harness; a shell puts the full device in its place.
  const fs::path script = cape.write("cape-full", "#!/bin/sh\nexec \"$CAPE\" topology list >/dev/full\n");
  fs::permissions(script, fs::perms::owner_all);
  cape.set("PATH", cape.directory().string() + ":/usr/bin:/bin");
  cape.set("CAPE", CAPE_BINARY);

  const Ran ran = cape.run({"full"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("could not be written"));
}

TEST(CapeExternal, UnknownCommandRunsTheProgramOfThatName) {
  CapeProcess cape;
  const fs::path tool =
      cape.write("tools/cape-greet",
                 "#!/bin/sh\nfor a in \"$@\"; do echo \"<$a>\"; done\necho \"$CAPE_CONFIG\"\nexit 7\n");
  fs::permissions(tool, fs::perms::owner_all);
  cape.set("PATH", (cape.directory() / "tools").string() + ":/usr/bin:/bin");

  const Ran ran = cape.run({"--config", "other.toml", "greet", "--json", "two words", "--help"});

  EXPECT_EQ(ran.exit, 7) << ran.err;
  EXPECT_EQ(ran.out, "<--json>\n<two words>\n<--help>\n" + (cape.directory() / "other.toml").string() + "\n");
}

TEST(CapeExternal, NameThatNobodyHasExitsWith2AndSaysWhereItLooked) {
  CapeProcess cape;

  const Ran ran = cape.run({"no-such-tool", "x"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("no cape-no-such-tool beside cape or in PATH"), HasSubstr("cape --help")));
}

TEST(CapeExternal, NameIsNeverAPath) {
  CapeProcess cape;
  const fs::path tool = cape.write("cape-x/run", "#!/bin/sh\nexit 0\n");
  fs::permissions(tool, fs::perms::owner_all);

  EXPECT_EQ(cape.run({"x/run"}).exit, 2);
  EXPECT_EQ(cape.run({"../x"}).exit, 2);
}

}  // namespace
}  // namespace cape::cli
