// `cape plugin check`, `run` and `new`, as their users see them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include <sstream>

#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string check_guests = std::string(CAPE_CHECK_PLUGINS) + "/";
const std::string zoo = std::string(CAPE_ZOO) + "/";

TEST(CapePluginCheck, ExitsByWhetherThePluginIsGood) {
  CapeProcess cape;

  const Ran good = cape.run({"plugin", "check", check_guests + "good_lambda.so", "--only", "S,L1"});
  const Ran bad = cape.run({"--json", "plugin", "check", check_guests + "S6_path.so"});

  EXPECT_EQ(good.exit, 0) << good.out << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr("S4   pass"), HasSubstr("without --only and --skip before you drop it")));
  EXPECT_EQ(bad.exit, 1);
  const auto report = nlohmann::json::parse(bad.out);
  EXPECT_EQ(report.at("plugin"), "check_guest");
  EXPECT_EQ(report.at("good"), false);
  for (const auto& check : report.at("checks"))
    if (check.at("id") == "S6") {
      EXPECT_EQ(check.at("verdict"), "fail");
      EXPECT_THAT(check.at("text").get<std::string>(), HasSubstr("/opt/lib"));
    }
}

TEST(CapePluginCheck, InProcessWarnsThatNothingIsConfinedAndSkipsWhatNeedsAChild) {
  CapeProcess cape;

  const Ran ran =
      cape.run({"plugin", "check", check_guests + "good_lambda.so", "--in-process", "--only", "S4,L1,L2"});

  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("unconfined"));
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("L1   pass"), HasSubstr("L2   skipped"), HasSubstr("there are no walls"),
                    HasSubstr("without --in-process before you drop it")));
}

TEST(CapePluginCheck, MistakesExitWith2) {
  CapeProcess cape;
  const std::string file = check_guests + "good_lambda.so";
  const std::vector<std::vector<std::string>> lines{{"plugin", "check"},
                                                    {"plugin", "check", file, "--only", "Q9"},
                                                    {"plugin", "check", file, "--only", "E"},
                                                    {"plugin", "check", file, "--settings", "[1]"},
                                                    {"plugin", "check", file, "--grant", "all"},
                                                    {"plugin", "run", file}};
  for (const auto& line : lines) EXPECT_EQ(cape.run(line).exit, 2) << testing::PrintToString(line);
  EXPECT_THAT(cape.run({"plugin", "check", "--list"}).out, HasSubstr("C10"));
}

const char* const some_events = R"({"subject":"a","payload":"emit:out"})"
                                "\n"
                                R"({"subject":"a","payload":"log:1"})"
                                "\n"
                                R"({"subject":"a","payload":"segv"})"
                                "\n"
                                R"({"subject":"b","payload":"ok"})"
                                "\n";

TEST(CapePluginRun, TellsEachEventAndGoesOnAfterACrash) {
  CapeProcess cape;

  const Ran ran = cape.run({"--json", "plugin", "run", zoo + "acts.so", "--events", "-"}, some_events);

  EXPECT_EQ(ran.exit, 1) << ran.err;
  std::vector<nlohmann::json> events;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(events.size(), 5u) << ran.out;
  EXPECT_EQ(events[0].at("output"), "out");
  EXPECT_TRUE(events[0].at("us").is_number());
  EXPECT_EQ(events[1].at("log").size(), 1u);
  EXPECT_EQ(events[2].at("outcome"), "SIGNALED");
  EXPECT_EQ(events[2].at("sequence"), 3);
  EXPECT_TRUE(events[2].at("us").is_null()) << "nobody measured it";
  EXPECT_EQ(events[3].at("outcome"), "OK");
  EXPECT_EQ(events[4].at("error").at("exit"), 1) << "one was not OK";
}

std::string events_of(const std::vector<std::string>& payloads) {
  std::string lines;
  for (const std::string& payload : payloads)
    lines += R"({"subject":"a","payload":")" + payload + "\"}\n";
  return lines;
}
// "1 OK", one a line.
std::vector<std::string> outcomes_of(const Ran& ran) {
  std::vector<std::string> outcomes;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) {
    const auto told = nlohmann::json::parse(line);
    if (told.contains("outcome"))
      outcomes.push_back(std::to_string(told.at("sequence").get<int>()) + " " +
                         told.at("outcome").get<std::string>());
  }
  return outcomes;
}

TEST(CapePluginRun, TellsEachEventOfABatchThatFailsInTheMiddle) {
  CapeProcess cape;

  const Ran ran =
      cape.run({"--json", "plugin", "run", zoo + "acts.so", "--events", "-", "--batch", "9"},
               events_of({"ok", "fail:no", "skip", "segv", "ok"}));

  EXPECT_EQ(ran.exit, 1) << ran.err;
  EXPECT_THAT(outcomes_of(ran), ElementsAre("1 OK", "2 FAILED", "3 OK", "4 SIGNALED", "5 OK"));
}

TEST(CapePluginRun, GoesOnAfterAChildThatDiesAndSaysThatAllIsDone) {
  CapeProcess cape;

  const Ran ran = cape.run({"--json", "plugin", "run", zoo + "tricks.so", "--events", "-"},
                           events_of({"fine", "die_as_done", "fine", "fine"}));

  EXPECT_EQ(ran.exit, 1) << "one died";
  EXPECT_THAT(ran.out + ran.err, HasSubstr("SIGILL"));
  EXPECT_THAT(outcomes_of(ran), ElementsAre("1 OK", "2 OK", "3 OK", "4 OK"));
}

TEST(CapePluginRun, EndsAnEventThatSendsHeartbeatsForEver) {
  CapeProcess cape;

  const Ran ran = cape.run({"--json", "plugin", "run", zoo + "ends.so", "--events", "-", "--timeout", "1",
                            "--timeout-max", "1"},
                           events_of({"heartbeat", "fine"}));
  const Ran mistaken = cape.run(
      {"plugin", "run", zoo + "ends.so", "--events", "-", "--timeout", "2", "--timeout-max", "1"}, "");

  EXPECT_EQ(ran.exit, 1) << ran.err;
  EXPECT_THAT(outcomes_of(ran), ElementsAre("1 HUNG", "2 OK"));
  EXPECT_THAT(ran.out, HasSubstr("--timeout-max"));
  EXPECT_EQ(mistaken.exit, 2);
}

TEST(CapePluginRun, RepeatsBatchesAndEndsAHang) {
  CapeProcess cape;
  const std::string two = R"({"subject":"a","payload":"ok"})"
                          "\n"
                          R"({"subject":"a","payload":"ok"})"
                          "\n";

  const Ran repeated =
      cape.run({"plugin", "run", zoo + "acts.so", "--events", "-", "--repeat", "3", "--batch", "2"}, two);
  const Ran hung = cape.run({"plugin", "run", zoo + "acts.so", "--events", "-", "--timeout", "1"},
                            R"({"subject":"a","payload":"hang"})"
                            "\n");

  EXPECT_EQ(repeated.exit, 0) << repeated.err;
  EXPECT_EQ(std::count(repeated.out.begin(), repeated.out.end(), '\n'), 6) << repeated.out;
  EXPECT_EQ(hung.exit, 1);
  EXPECT_THAT(hung.out, HasSubstr("HUNG"));
}

TEST(CapePluginRun, NamesTheLineThatIsNoEvent) {
  CapeProcess cape;
  cape.write("events.jsonl", "{\"subject\":\"a\"}\n{\"subjekt\":\"a\"}\n");

  const Ran ran = cape.run({"plugin", "run", zoo + "acts.so", "--events", "events.jsonl"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("events.jsonl:2"));
}

TEST(CapePluginNew, RefusesNamesKindsAndWhatIsThere) {
  CapeProcess cape;

  EXPECT_EQ(cape.run({"plugin", "new", "Not-A-Name"}).exit, 2);
  EXPECT_EQ(cape.run({"plugin", "new", "geo", "--lang", "cobol"}).exit, 2);
  for (const char* taken : {"test", "int", "crate", "cape"})
    EXPECT_EQ(cape.run({"plugin", "new", taken}).exit, 2) << taken;
  EXPECT_THAT(cape.run({"--json", "plugin", "new", "geo_tiles"}).out, testing::HasSubstr(R"({"made":"geo_tiles"})"));
  EXPECT_EQ(cape.run({"plugin", "new", "my_word_count"}).exit, 0);
  EXPECT_EQ(cape.run({"plugin", "new", "my_word_count"}).exit, 1) << "it is there";
  EXPECT_TRUE(fs::exists(cape.directory() / "my_word_count" / "my_word_count.cpp"));
  EXPECT_TRUE(fs::exists(cape.directory() / "my_word_count" / "events.jsonl"));
}

}  // namespace
}  // namespace cape::cli
