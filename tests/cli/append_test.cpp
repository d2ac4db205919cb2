// `cape append` without a broker, seen through the journal it leaves.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* all_events =
    "SELECT subject, sequence, type, payload FROM events ORDER BY subject, sequence";

class CapeAppend : public testing::Test {
 protected:
  CapeAppend() { cape.write("cape.toml", small_config); }
  auto events(const std::string& sql = all_events) {
    return query(cape.directory() / "data/journal/history/events.db", sql);
  }

  CapeProcess cape;
};

TEST_F(CapeAppend, MakesTheJournalAndGivesTheNextSequence) {
  EXPECT_EQ(cape.run({"append", "history", "order/17", "--type", "paid", "--payload", "{\"a\":1}"}).out,
            "history order/17 1\n");

  const Ran second = cape.run({"append", "history", "order/17"});

  EXPECT_EQ(second.exit, 0) << second.err;
  EXPECT_EQ(second.out, "history order/17 2\n");
  EXPECT_THAT(events(), ElementsAre(ElementsAre("order/17", "1", "paid", "{\"a\":1}"),
                                    ElementsAre("order/17", "2", "", "")));
}

TEST_F(CapeAppend, TellsTheSequenceAsJson) {
  const Ran ran = cape.run({"append", "history", "s", "--sequence", "41", "--json"});

  const auto answer = nlohmann::json::parse(ran.out, nullptr, false);
  EXPECT_EQ(answer, (nlohmann::json{{"domain", "history"}, {"subject", "s"}, {"sequence", 41}}))
      << ran.out << ran.err;
}

TEST_F(CapeAppend, SequenceThatDoesNotRiseIsRefusedAndNothingIsLost) {
  ASSERT_EQ(cape.run({"append", "history", "a", "--sequence", "5"}).exit, 0);

  const Ran ran = cape.run({"append", "history", "a", "--sequence", "5"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(
      ran.err,
      "cape: subject 'a': sequence 5 is not above 5, the highest it ever had; give a higher one, or none "
      "for the next\n");
  EXPECT_THAT(events(), ElementsAre(ElementsAre("a", "5", "", "")));
}

TEST_F(CapeAppend, PayloadOverTheLimitIsRefusedWithBothSizes) {
  EXPECT_EQ(cape.run({"append", "history", "a", "--payload", std::string(1000, 'p')}).exit, 0);

  const Ran ran = cape.run({"append", "history", "a", "--payload", std::string(1001, 'p')});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("1001"), HasSubstr("1000")));
}

TEST_F(CapeAppend, WhatNoJournalWouldTakeIsAUsageError) {
  for (const std::vector<std::string>& bad :
       std::vector<std::vector<std::string>>{{"--type", std::string(256, 't')},
                                             {"--type", "\xff"},
                                             {"--sequence", "9223372036854775807"},
                                             {"--payload", std::string(1001, 'p')}}) {
    const Ran ran = cape.run({"append", "history", "a", bad[0], bad[1]});

    EXPECT_EQ(ran.exit, 2) << bad[0] << ran.err;
    EXPECT_FALSE(fs::exists(cape.directory() / "data/journal")) << bad[0];
  }
  EXPECT_EQ(cape.run({"append", "history", "a", "--sequence", "9223372036854775806"}).exit, 0);
  EXPECT_EQ(cape.run({"append", "history", "b", "--type", std::string(255, 't')}).exit, 0);
}

TEST_F(CapeAppend, HelpNamesTheHighestSequenceThatTheJournalTakes) {
  EXPECT_THAT(cape.run({"append", "--help"}).out,
              AllOf(HasSubstr("9223372036854775806"), Not(HasSubstr("9223372036854775807"))));
}

TEST_F(CapeAppend, DomainOfAnotherSourceIsRefusedWithTheReason) {
  const Ran ran = cape.run({"append", "foreign", "a"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("source 'files'"), HasSubstr("cape ping foreign")));
  EXPECT_FALSE(fs::exists(cape.directory() / "data/journal/foreign"));
}

TEST_F(CapeAppend, ControlCharactersOfASubjectDoNotReachTheTerminal) {
  const Ran ran = cape.run({"append", "history", "a\x1b[2J"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "history a\\x1B[2J 1\n");
  EXPECT_THAT(events("SELECT subject FROM events"), ElementsAre(ElementsAre("a\x1b[2J")));
}

TEST_F(CapeAppend, ReadsLinesFromAFileAndFromStdin) {
  const std::string lines =
      "{\"subject\":\"a\",\"sequence\":3,\"time_ns\":77,\"type\":\"t\",\"payload\":\"x\"}\n"
      "{\"subject\":\"b\",\"payload_base64\":\"AAEC\"}\n";
  cape.write("events.jsonl", lines);

  EXPECT_EQ(cape.run({"append", "history", "--jsonl", "events.jsonl"}).out, "2 events appended to history\n");
  const Ran ran =
      cape.run({"append", "history", "--jsonl", "-", "--no-ping", "--json"}, "{\"subject\":\"a\"}\n");

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "{\"domain\":\"history\",\"appended\":1,\"line\":null,\"error\":null}\n");
  EXPECT_THAT(events(), ElementsAre(ElementsAre("a", "3", "t", "x"), ElementsAre("a", "4", "", ""),
                                    ElementsAre("b", "1", "", std::string("\0\1\2", 3))));
  EXPECT_THAT(events("SELECT time_ns FROM events WHERE sequence = 3"), ElementsAre(ElementsAre("77")));
}

TEST_F(CapeAppend, StopsAtTheFirstBadLineAndTellsWhatWasAppended) {
  const Ran ran =
      cape.run({"append", "history", "--jsonl", "-"},
               "{\"subject\":\"a\"}\n{\"subject\":\"b\"}\n{\"subject\":\"\"}\n{\"subject\":\"c\"}\n");

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("line 3"), HasSubstr("empty"), HasSubstr("2 events before it were appended")));
  EXPECT_THAT(events("SELECT subject FROM events ORDER BY subject"),
              ElementsAre(ElementsAre("a"), ElementsAre("b")));
}

TEST_F(CapeAppend, LineThatTheJournalRefusesIsNamedByItsNumber) {
  const Ran ran = cape.run({"append", "history", "--jsonl", "-"},
                           "{\"subject\":\"a\",\"sequence\":9}\n{\"subject\":\"a\",\"sequence\":8}\n");

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("line 2"), HasSubstr("1 event before it was appended"),
                             Not(HasSubstr("event 0"))));
}

TEST_F(CapeAppend, OneEventOfAFileIsOneEvent) {
  EXPECT_EQ(cape.run({"append", "history", "--jsonl", "-"}, "{\"subject\":\"a\"}\n").out,
            "1 event appended to history\n");
}

TEST_F(CapeAppend, BadLineIsAlsoJson) {
  const Ran ran =
      cape.run({"append", "history", "--jsonl", "-", "--json"}, "{\"subject\":\"a\"}\n{\"subject\":\"\"}\n");

  EXPECT_EQ(ran.exit, 1);
  const auto answer = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(answer.is_object()) << ran.out;
  EXPECT_EQ(answer["appended"], 1);
  EXPECT_EQ(answer["line"], 2);
  EXPECT_EQ(answer["error"]["code"], "failed");
}

TEST_F(CapeAppend, DirectoryInPlaceOfAFileIsAUsageError) {
  const Ran ran = cape.run({"append", "history", "--jsonl", "."});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("is a directory; name a file"));
}

TEST_F(CapeAppend, MissingFileIsNamed) {
  const Ran ran = cape.run({"append", "history", "--jsonl", "nowhere.jsonl"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("nowhere.jsonl"), HasSubstr("No such file")));
}

TEST_F(CapeAppend, DataDirectoryThatCannotBeMadeIsAClearError) {
  cape.write("data", "a file stands where the directory belongs");

  const Ran ran = cape.run({"append", "history", "a"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr((cape.directory() / "data").string()));
}

}  // namespace
}  // namespace cape::cli
