// The journal as any program with plain SQL sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/clock.hpp"
#include "storage/journal/journal_db.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::RawDb;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JournalSql : public testing::Test {
 protected:
  JournalSql() : journal_(*JournalDb::open(dir_.path() / "history", 1000)), sql_(file()) {}
  fs::path file() const { return dir_.path() / "history" / "events.db"; }
  std::vector<std::string> all() { return sql_.rows("SELECT subject, sequence, type, payload FROM events"); }

  TempDir dir_;
  JournalDb journal_;
  RawDb sql_;
};

TEST_F(JournalSql, GivesTheNextSequenceAndTheTime) {
  const std::int64_t before_ns = wall_ns();
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, type, payload) VALUES ('order/17', 'paid', '{}')"), "");
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, type, payload) VALUES ('order/17', 'sent', x'00ff')"), "");

  EXPECT_THAT(sql_.rows("SELECT subject, sequence, type, typeof(payload), hex(payload) FROM events"),
              ElementsAre("order/17|1|paid|blob|7B7D", "order/17|2|sent|blob|00FF"));
  const std::int64_t time_ns = std::stoll(sql_.value("SELECT time_ns FROM events"));
  EXPECT_GE(time_ns, before_ns - ns_per_ms);
  EXPECT_LE(time_ns, wall_ns() + ns_per_ms);
}

TEST_F(JournalSql, TakesManyRowsOfManySubjectsInOneStatement) {
  ASSERT_EQ(
      sql_.run(
          "INSERT INTO events(subject, type, payload) VALUES ('a','t','1'), ('b','t','2'), ('a','t','3')"),
      "");
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, payload) SELECT subject, 'again' FROM events"), "");

  EXPECT_THAT(sql_.rows("SELECT subject, sequence FROM events ORDER BY subject, sequence"),
              ElementsAre("a|1", "a|2", "a|3", "a|4", "b|1", "b|2"));
}

TEST_F(JournalSql, TakesGivenSequencesWithGapsAndGoesOnFromThem) {
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, sequence, time_ns) VALUES ('a', 10, -5), ('a', 20, 0)"),
            "");
  ASSERT_EQ(sql_.run("INSERT INTO events(subject) VALUES ('a')"), "");

  EXPECT_THAT(all(), ElementsAre("a|10||", "a|20||", "a|21||"));
}

TEST_F(JournalSql, RefusesWhatIsNoEventAndSaysWhy) {
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, sequence) VALUES ('a', 5), ('full', 9223372036854775806)"),
            "");
  const struct {
    const char* values;
    const char* reason;
  } cases[] = {
      {"('a', 5, NULL, 't', '')", "above the highest"},
      {"('a', 4, NULL, 't', '')", "above the highest"},
      {"('a', 0, NULL, 't', '')", "above 0"},
      {"('b', -1, NULL, 't', '')", "above 0"},
      {"('b', '6', NULL, 't', '')", "sequence must be an INTEGER"},
      {"('b', 6.0, NULL, 't', '')", "sequence must be an INTEGER"},
      {"('full', NULL, NULL, 't', '')", "no query can go past it"},
      {"('full', 9223372036854775807, NULL, 't', '')", "no query can go past it"},
      {"('b', 9223372036854775807, NULL, 't', '')", "the highest is 9223372036854775806"},
      {"('', NULL, NULL, 't', '')", "subject is empty"},
      {"(NULL, NULL, NULL, 't', '')", "subject must be TEXT"},
      {"(x'61', NULL, NULL, 't', '')", "subject must be TEXT"},
      {"(17, NULL, NULL, 't', '')", "subject must be TEXT"},
      {"('a' || char(0) || 'b', NULL, NULL, 't', '')", "NUL"},
      {"(printf('%256s', 'x'), NULL, NULL, 't', '')", "longer than 255 bytes"},
      {"(replace(printf('%128s', ''), ' ', 'ä'), NULL, NULL, 't', '')", "longer than 255 bytes"},
      {"('b', NULL, 'noon', 't', '')", "time_ns must be an INTEGER"},
      {"('b', NULL, NULL, 7, '')", "type must be TEXT"},
      {"('b', NULL, NULL, printf('%256s', 'x'), '')", "type is longer"},
      {"('b', NULL, NULL, 't', zeroblob(1001))", "payload is larger"},
      {"('b', NULL, NULL, 't', printf('%1001s', 'x'))", "payload is larger"},
  };
  for (const auto& [values, reason] : cases) {
    EXPECT_THAT(
        sql_.run(std::string("INSERT INTO events(subject, sequence, time_ns, type, payload) VALUES ") +
                 values),
        HasSubstr(reason))
        << values;
  }
  EXPECT_THAT(all(), ElementsAre("a|5||", "full|9223372036854775806||"));
  EXPECT_THAT(sql_.rows("SELECT name FROM subject"), ElementsAre("a", "full"));
}

TEST_F(JournalSql, NoConflictClauseLetsTheLastSequenceThrough) {
  for (const char* clause : {"OR IGNORE", "OR REPLACE", "OR FAIL"}) {
    EXPECT_THAT(sql_.run(std::string("INSERT ") + clause +
                         " INTO events(subject, sequence) VALUES ('a', 9223372036854775807)"),
                HasSubstr("no query can go past it"))
        << clause;
  }
  EXPECT_THAT(all(), IsEmpty());
}

TEST_F(JournalSql, TakesTheLongestOfEverything) {
  EXPECT_EQ(sql_.run("INSERT INTO events(subject, type, payload) VALUES "
                     "(printf('%255s', 'x'), printf('%255s', 'x'), zeroblob(1000))"),
            "");
}

TEST_F(JournalSql, OneRefusedRowTakesItsWholeStatementBack) {
  EXPECT_NE(sql_.run("INSERT INTO events(subject) VALUES ('a'), ('b'), ('')"), "");
  EXPECT_THAT(all(), IsEmpty());
  EXPECT_THAT(sql_.rows("SELECT name FROM subject"), IsEmpty());
}

// An outer conflict clause overrides those inside a trigger.
TEST_F(JournalSql, KeepsItsRulesUnderOrReplaceAndOrIgnore) {
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, payload) VALUES ('a', 'first')"), "");
  for (const char* how : {"REPLACE", "IGNORE", "FAIL", "ROLLBACK"}) {
    EXPECT_NE(sql_.run(std::string("INSERT OR ") + how +
                       " INTO events(subject, sequence, payload) VALUES ('a', 1, 'x')"),
              "")
        << how;
    EXPECT_EQ(sql_.run(std::string("INSERT OR ") + how + " INTO events(subject, payload) VALUES ('a', '" +
                       how + "')"),
              "");
  }

  EXPECT_THAT(all(), ElementsAre("a|1||first", "a|2||REPLACE", "a|3||IGNORE", "a|4||FAIL", "a|5||ROLLBACK"));
  EXPECT_EQ(sql_.value("SELECT id || name || latest FROM subject"), "1a5");
}

TEST_F(JournalSql, PruningNeverLowersTheLatest) {
  ASSERT_EQ(sql_.run("INSERT INTO events(subject) VALUES ('a'), ('a'), ('a'), ('b')"), "");
  ASSERT_EQ(sql_.run("DELETE FROM events WHERE subject = 'a'"), "");
  EXPECT_THAT(all(), ElementsAre("b|1||"));
  EXPECT_EQ(*journal_.latest("a"), 3);

  EXPECT_THAT(sql_.run("INSERT INTO events(subject, sequence) VALUES ('a', 3)"),
              HasSubstr("above the highest"));
  ASSERT_EQ(sql_.run("INSERT INTO events(subject) VALUES ('a')"), "");

  EXPECT_THAT(all(), ElementsAre("a|4||", "b|1||"));
}

TEST_F(JournalSql, EventsNeverChange) {
  ASSERT_EQ(sql_.run("INSERT INTO events(subject, payload) VALUES ('a', 'before')"), "");

  EXPECT_THAT(sql_.run("UPDATE events SET payload = 'after'"), HasSubstr("an event never changes"));

  EXPECT_THAT(all(), ElementsAre("a|1||before"));
}

TEST_F(JournalSql, RolledBackEventsLeaveNoSequenceUsed) {
  ASSERT_EQ(sql_.run("BEGIN; INSERT INTO events(subject) VALUES ('a'); ROLLBACK"), "");
  ASSERT_EQ(sql_.run("INSERT INTO events(subject) VALUES ('a')"), "");

  EXPECT_THAT(all(), ElementsAre("a|1||"));
}

TEST_F(JournalSql, FindsTheEventsOfASubjectWithoutAScan) {
  const std::vector<std::string> plan = sql_.rows(
      "EXPLAIN QUERY PLAN SELECT * FROM events WHERE subject = 'a' AND sequence > 5 ORDER BY sequence");

  for (const std::string& step : plan) EXPECT_THAT(step, testing::Not(HasSubstr("SCAN"))) << step;
}

TEST_F(JournalSql, TheSqliteCommandLineCanInsert) {
  if (std::system("command -v sqlite3 >/dev/null") != 0) GTEST_SKIP() << "no sqlite3 command";
  const fs::path script = dir_.path() / "insert.sql";
  std::ofstream(script)
      << "INSERT INTO events(subject,type,payload) VALUES('shell','t','one'),('shell','t',x'02');\n";

  ASSERT_EQ(std::system(("sqlite3 -bail '" + file().string() + "' < '" + script.string() + "'").c_str()), 0);

  EXPECT_EQ(*journal_.latest("shell"), 2);
}

}  // namespace
}  // namespace cape::storage
