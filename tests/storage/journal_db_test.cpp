#include "storage/journal/journal_db.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "core/clock.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::RawDb;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

NewEvent event(std::string subject, std::optional<Sequence> sequence = {}, std::string payload = "p") {
  return {.subject = std::move(subject),
          .sequence = sequence,
          .time_ns = {},
          .type = "t",
          .payload = std::move(payload)};
}

class JournalDbTest : public testing::Test {
 protected:
  Result<JournalDb> open(std::uint64_t payload_bytes_max = 1000) {
    return JournalDb::open(journal_dir(), payload_bytes_max);
  }
  fs::path journal_dir() const { return dir_.path() / "journal" / "history"; }
  fs::path file() const { return journal_dir() / "events.db"; }
  std::vector<std::string> all() {
    return RawDb(file()).rows("SELECT subject, sequence, payload FROM events");
  }

  TempDir dir_;
};

TEST_F(JournalDbTest, MakesFilesThatAnotherUserCanRead) {
  const auto journal = open();
  ASSERT_TRUE(journal) << journal.error().message;

  EXPECT_EQ(test::mode_of(journal_dir()), "0755");
  for (const char* suffix : {"", "-wal", "-shm"})
    EXPECT_EQ(test::mode_of(file().native() + suffix), "0644") << suffix;
}

TEST_F(JournalDbTest, GivesSequencesInOrderAndTakesGivenOnes) {
  auto journal = open();
  const std::vector<NewEvent> events = {event("a"), event("b"), event("a", 7), event("a"), event("b", 2)};

  const auto sequences = journal->append(events);

  ASSERT_TRUE(sequences) << sequences.error().message;
  EXPECT_THAT(*sequences, ElementsAre(1, 1, 7, 8, 2));
  EXPECT_EQ(*journal->latest("a"), 8);
  EXPECT_EQ(*journal->latest("b"), 2);
  EXPECT_EQ(journal->latest("c").error().code, ErrorCode::not_found);
}

TEST_F(JournalDbTest, KeepsEveryFieldOfAnEvent) {
  auto journal = open();
  const std::string payload("\0\xff payload", 10);
  const std::vector<NewEvent> events = {
      {.subject = "ä/1", .sequence = 3, .time_ns = 123'456'789, .type = "müde", .payload = payload}};
  ASSERT_TRUE(journal->append(events));

  EXPECT_EQ(
      RawDb(file()).value(
          "SELECT subject || sequence || time_ns || type || hex(payload) || typeof(payload) FROM events"),
      "ä/13123456789müde00FF207061796C6F6164blob");
}

TEST_F(JournalDbTest, OneBadEventRefusesAllAndIsNamedByItsPlace) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a", 5)}));
  const struct {
    NewEvent bad;
    const char* reason;
  } cases[] = {
      {event("a", 5), "sequence 5 is not above 6"},
      {event("a", 0), "sequence 0 is not above 0"},
      {event("b", INT64_MAX), "the highest is 9223372036854775806"},
      {event(""), "subject"},
      {event(std::string(256, 'x')), "255"},
      {event(std::string("a\0b", 3)), "NUL"},
      {event("a\xff"), "UTF-8"},
      {event("a", {}, std::string(1001, 'p')), "payload of 1001 bytes"},
      {{.subject = "a", .sequence = {}, .time_ns = {}, .type = std::string(256, 't'), .payload = {}}, "type"},
      {{.subject = "a", .sequence = {}, .time_ns = {}, .type = "\xff", .payload = {}}, "type is not UTF-8"},
  };
  for (const auto& [bad, reason] : cases) {
    const auto result = journal->append(std::vector{event("a"), event("new"), bad});

    ASSERT_FALSE(result) << reason;
    EXPECT_EQ(result.error().code, ErrorCode::invalid);
    EXPECT_THAT(result.error().message, HasSubstr("event 2 "));
    EXPECT_THAT(result.error().message, HasSubstr(reason));
  }
  EXPECT_THAT(all(), ElementsAre("a|5|p"));
  EXPECT_FALSE(journal->latest("new"));
}

TEST_F(JournalDbTest, SequencesGoOnFromWhatOtherProgramsInserted) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a")}));
  ASSERT_EQ(RawDb(file()).run("INSERT INTO events(subject) VALUES ('a')"), "");

  EXPECT_THAT(*journal->append(std::vector{event("a")}), ElementsAre(3));
  ASSERT_EQ(RawDb(file()).run("INSERT INTO events(subject) VALUES ('a')"), "");
  EXPECT_EQ(*journal->latest("a"), 4);
}

TEST_F(JournalDbTest, TheConfiguredPayloadLimitIsTheTriggersLimit) {
  { ASSERT_TRUE(open(10)); }
  EXPECT_THAT(RawDb(file()).run("INSERT INTO events(subject, payload) VALUES ('a', zeroblob(11))"),
              HasSubstr("larger"));
  { ASSERT_TRUE(open(11)); }
  EXPECT_EQ(RawDb(file()).run("INSERT INTO events(subject, payload) VALUES ('a', zeroblob(11))"), "");
}

TEST_F(JournalDbTest, OpensBesideAnotherOpenWithoutWaitingForItsWriter) {
  auto first = open();
  RawDb writer(file());
  ASSERT_EQ(writer.run("BEGIN IMMEDIATE"), "");
  const std::int64_t start_ns = boot_ns();

  const auto second = open();

  ASSERT_TRUE(second) << second.error().message;
  EXPECT_LT(boot_ns() - start_ns, 4 * ns_per_s) << "less than it would wait for a lock";
}

TEST_F(JournalDbTest, ManyProgramsMayCreateItAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(test::start_process([&] {
      auto journal = open();
      if (journal && journal->append(std::vector{event("shared")})) return 0;
      if (!journal) std::fprintf(stderr, "%s\n", journal.error().message.c_str());
      return 1;
    }));
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(*open()->latest("shared"), 8);
}

TEST_F(JournalDbTest, LeavesADatabaseThatIsNotAJournalAlone) {
  fs::create_directories(journal_dir());
  RawDb(file()).run("CREATE TABLE theirs(x)");

  const auto journal = open();

  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().code, ErrorCode::invalid);
  EXPECT_EQ(RawDb(file()).value("PRAGMA journal_mode"), "delete");
}

TEST_F(JournalDbTest, TakesAWholeHistoryInOneCall) {
  auto journal = open();
  std::vector<NewEvent> events;
  for (int i = 0; i < 28'000; ++i)
    events.push_back(event("subject/" + std::to_string(i * 7919 % 3000), {}, std::string(200, 'p')));
  const std::int64_t start_ns = boot_ns();

  const auto sequences = journal->append(events);

  RecordProperty("ms", std::to_string((boot_ns() - start_ns) / ns_per_ms));
  ASSERT_TRUE(sequences) << sequences.error().message;
  EXPECT_EQ(sequences->size(), events.size());
  EXPECT_EQ(all().size(), events.size());
}

// ---- a child of another user reads it through read-only files, as a source plugin does

class JournalReader : public JournalDbTest {
 protected:
  static constexpr int nothing_wrong = 0;
  static constexpr int torn = 1;  // it saw a part of a transaction

  void SetUp() override {
    if (!test::can_be_another_user()) GTEST_SKIP() << "needs root, to read as another user";
  }
  int read_as_another_user() { return nursery_.run(0); }
  // What a kill in the middle of a commit leaves: the two copies of the index's header differ. Not done by
  // this process: closing the file here would drop the locks that our own connection has on it.
  void tear_index() { ASSERT_EQ(nursery_.run(2), 0); }
  pid_t start_writer() { return nursery_.start(1); }
  int wait_for_writer() { return nursery_.wait(); }

 private:
  // Each transaction adds two events. Gives an answer from above, or SQLite's primary code.
  int read() {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 99;
    RawDb db(file(), true);
    const std::string even =
        db.value("SELECT count(*) % 2 = 0 AND count(*) = (SELECT sum(latest) FROM subject) FROM event");
    if (db.last_code() != SQLITE_OK && db.last_code() != SQLITE_DONE) return db.last_code() & 0xff;
    return even == "1" ? nothing_wrong : torn;
  }
  int write_until_killed() {
    RawDb db(file());
    while (db.run("INSERT INTO events(subject, payload) VALUES ('a', zeroblob(500)), ('b', '')").empty()) {
    }
    return 1;
  }

  int tear() {
    std::fstream shm(file().native() + "-shm", std::ios::in | std::ios::out | std::ios::binary);
    shm.seekp(8);
    shm << "torn";
    return 0;
  }

  test::Nursery nursery_{
      {[this] { return read(); }, [this] { return write_until_killed(); }, [this] { return tear(); }}};
};

TEST_F(JournalReader, ReadsWhileTheBrokerHoldsItOpen) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a"), event("a")}));

  EXPECT_EQ(read_as_another_user(), nothing_wrong);
}

TEST_F(JournalReader, CannotReadAfterAWriterDiedInACommitUntilTouchRepairsIt) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a"), event("a")}));
  tear_index();
  ASSERT_EQ(read_as_another_user(), SQLITE_READONLY);

  ASSERT_TRUE(journal->touch());

  EXPECT_EQ(read_as_another_user(), nothing_wrong);
}

TEST_F(JournalReader, ReadsAfterWritersWereKilledAtAnyMoment) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a"), event("b")}));
  for (int round = 0; round < 20; ++round) {
    const Sequence before = *journal->latest("a");
    const pid_t writer = start_writer();
    while (*journal->latest("a") == before) std::this_thread::yield();
    ::usleep(static_cast<useconds_t>(137 * round));
    ::kill(writer, SIGKILL);
    ASSERT_EQ(wait_for_writer(), -SIGKILL);

    ASSERT_TRUE(journal->touch());

    EXPECT_EQ(read_as_another_user(), nothing_wrong) << "round " << round;
  }
}

TEST_F(JournalReader, ReadsBesideAWriterAndTouch) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a"), event("b")}));
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(journal->append(std::vector{event("a"), event("b")}));
    ASSERT_TRUE(journal->touch());
    EXPECT_EQ(read_as_another_user(), nothing_wrong) << "round " << round;
  }
}

TEST_F(JournalDbTest, TouchNoticesADeletedJournal) {
  auto journal = open();
  ASSERT_TRUE(journal->touch());
  fs::remove(file());

  const Result<void> touched = journal->touch();

  ASSERT_FALSE(touched);
  EXPECT_EQ(touched.error().code, ErrorCode::io);
  EXPECT_THAT(touched.error().message, HasSubstr(file().string()));
}

TEST_F(JournalDbTest, AppendToADeletedJournalIsRefusedUntilItIsBack) {
  for (const char* suffix : {"", "-wal"}) {
    auto journal = open();
    ASSERT_TRUE(journal->append(std::vector{event("a")}));
    const fs::path deleted = file().native() + suffix, away = file().native() + ".away";
    fs::rename(deleted, away);

    const auto refused = journal->append(std::vector{event("a")});

    ASSERT_FALSE(refused) << suffix;
    EXPECT_THAT(refused.error().message, HasSubstr(deleted.string() + " was deleted"));
    const Sequence before = *journal->latest("a");
    fs::rename(away, deleted);
    const auto taken = journal->append(std::vector{event("a")});
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(taken->front(), before + 1) << "the refused one is not there";
  }
}

TEST_F(JournalDbTest, JournalThatWasDeletedWhileInUseIsNotMadeAnew) {
  auto journal = open();
  ASSERT_TRUE(journal->append(std::vector{event("a")}));
  const fs::path away = file().native() + ".away";
  fs::rename(file(), away);

  const auto second = open();

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::io);
  EXPECT_THAT(second.error().message, HasSubstr(file().string() + " was deleted while it was in use"));
  EXPECT_FALSE(fs::exists(file()));
  fs::rename(away, file());
  EXPECT_EQ(*open()->latest("a"), 1);
}

}  // namespace
}  // namespace cape::storage
