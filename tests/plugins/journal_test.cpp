// The event source `journal`, loaded as it ships, over a real database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "tests/fakes/loaded_plugin.hpp"
#include "tests/fakes/temp_dir.hpp"
#include "tests/plugins/journal_file.hpp"

namespace cape::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t sequence_max = std::numeric_limits<std::int64_t>::max();

class Journal : public ::testing::Test {
 protected:
  Journal() { host_.config["dir"] = dir_.path().string(); }

  SourceInstance& source() {
    if (!source_) source_.emplace(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_);
    return *source_;
  }
  JournalFile& file() {
    if (!file_) file_.emplace(dir_.path());
    return *file_;
  }
  // All events from `start` on, read in pages.
  std::vector<SeenEvent> pages(std::string_view subject, std::int64_t start, std::uint32_t events_max) {
    std::vector<SeenEvent> all;
    for (std::uint32_t more = 1; more != 0;) {
      FakeCall call;
      const QueryResult page = source().query(call, subject, start, events_max);
      EXPECT_EQ(page.status, CAPE_OK);
      EXPECT_LE(call.events.size(), events_max);
      EXPECT_TRUE(page.next_start > start || page.more == 0) << "more without progress at " << start;
      all.insert(all.end(), call.events.begin(), call.events.end());
      start = page.next_start;
      more = page.more;
    }
    return all;
  }
  std::vector<SeenSubject> scan(std::string token, std::uint32_t subjects_max) {
    std::vector<SeenSubject> all;
    for (std::uint32_t more = 1; more != 0;) {
      FakeCall call;
      EXPECT_EQ(source().scan(call, token, subjects_max, more), CAPE_OK);
      EXPECT_TRUE(!call.subjects.empty() || more == 0) << "more without progress after " << token;
      if (call.subjects.empty()) break;
      all.insert(all.end(), call.subjects.begin(), call.subjects.end());
      token = call.subjects.back().subject;
    }
    return all;
  }

  TempDir dir_;
  FakeHost host_;
  LoadedPlugin plugin_{CAPE_JOURNAL_PLUGIN};
  std::optional<JournalFile> file_;
  std::optional<SourceInstance> source_;
};

TEST_F(Journal, ExportsItsEntryAlone) {
  EXPECT_FALSE(plugin_.exports("sqlite3_open_v2")) << "it must not meet another SQLite in the process";
  EXPECT_EQ(plugin_.entry().get_factory("cape.lambda/1"), nullptr);
  EXPECT_EQ(plugin_.entry().get_factory("cape.source/"), nullptr);
  EXPECT_EQ(plugin_.entry().get_factory(nullptr), nullptr);
  file().add("a", 1);
  EXPECT_EQ(source().extension("cape.source.batch/1x"), nullptr);
}

TEST_F(Journal, GivesEveryFieldOfAnEvent) {
  file().run("INSERT INTO events VALUES ('a', 5, 1234567, 'paid', x'00ff27')");
  FakeCall call;

  const QueryResult result = source().query(call, "a", 1, 10);

  EXPECT_EQ(result, (QueryResult{CAPE_OK, 6, 5, 0}));
  EXPECT_THAT(call.events, ElementsAre(SeenEvent{0, 5, 1234567, "paid", std::string("\0\xff'", 3)}));
}

TEST_F(Journal, PagesOfAnySizeGiveTheSameEvents) {
  for (std::int64_t sequence = 1; sequence <= 300; sequence += sequence % 7 + 1) file().add("a", sequence);
  file().add("b", 1);

  const std::vector<SeenEvent> whole = pages("a", 1, 1000);

  ASSERT_GT(whole.size(), 50u);
  EXPECT_TRUE(std::is_sorted(whole.begin(), whole.end(),
                             [](const SeenEvent& x, const SeenEvent& y) { return x.sequence < y.sequence; }));
  EXPECT_EQ(pages("a", 1, 1), whole);
  EXPECT_EQ(pages("a", 1, 2), whole);
}

TEST_F(Journal, PageIsCutAtItsBytesButHoldsOneEvent) {
  for (std::int64_t sequence = 1; sequence <= 3; ++sequence) file().add("a", sequence, std::string(100, 'p'));
  FakeCall tiny;
  FakeCall two;

  const QueryResult one = source().query(tiny, "a", 1, 10, 1);
  const QueryResult cut = source().query(two, "a", 1, 10, 200);

  EXPECT_THAT(tiny.events, SizeIs(1));
  EXPECT_EQ(one, (QueryResult{CAPE_OK, 2, 3, 1}));
  EXPECT_THAT(two.events, SizeIs(2));
  EXPECT_EQ(cut, (QueryResult{CAPE_OK, 3, 3, 1}));
}

TEST_F(Journal, CutPageProvesTheGapBehindIt) {
  file().add("a", 1);
  file().add("a", 50);
  FakeCall call;

  const QueryResult result = source().query(call, "a", 1, 1);

  EXPECT_EQ(result, (QueryResult{CAPE_OK, 50, 50, 1}));
}

TEST_F(Journal, StartAboveLatestIsEmptyAndStaysWhereItIs) {
  file().add("a", 7);
  FakeCall call;

  EXPECT_EQ(source().query(call, "a", 8, 10), (QueryResult{CAPE_OK, 8, 7, 0}));
  EXPECT_EQ(source().query(call, "a", 900, 10), (QueryResult{CAPE_OK, 900, 7, 0}));
  EXPECT_EQ(source().query(call, "a", sequence_max, 10), (QueryResult{CAPE_OK, sequence_max, 7, 0}));
  EXPECT_THAT(call.events, IsEmpty());
}

TEST_F(Journal, UnknownSubjectIsNotFound) {
  file().add("a", 1);
  FakeCall call;
  std::int64_t bound = 0;
  std::vector<cape_source_query> queries(1);
  queries[0].subject = bytes("A");
  queries[0].start = 1;

  EXPECT_EQ(source().latest(call, "A", bound), CAPE_NOT_FOUND);
  EXPECT_EQ(source().latest(call, "", bound), CAPE_NOT_FOUND);
  EXPECT_EQ(source().query(call, "a ", 1, 10).status, CAPE_NOT_FOUND);
  EXPECT_EQ(source().query_batch(call, queries, 10), CAPE_OK);
  EXPECT_EQ(queries[0].status, CAPE_NOT_FOUND);
}

TEST_F(Journal, PruningLowersNeitherLatestNorWhatIsProven) {
  for (std::int64_t sequence = 1; sequence <= 9; ++sequence) file().add("a", sequence);
  file().run("DELETE FROM events WHERE subject = 'a' AND sequence > 4");
  FakeCall call;
  std::int64_t bound = 0;

  EXPECT_EQ(source().latest(call, "a", bound), CAPE_OK);
  EXPECT_EQ(bound, 9);
  EXPECT_EQ(source().query(call, "a", 1, 4), (QueryResult{CAPE_OK, 10, 9, 0}));
}

TEST_F(Journal, ScanIsInByteOrderAndResumesAfterAnySubject) {
  const std::vector<std::string> names = {
      "A", "B", "Z", "a", "a/b", "aa", "\xC3\xA9", "\xEF\xBF\xBD", "\xF0\x90\x80\x80"};
  for (auto name = names.rbegin(); name != names.rend(); ++name) file().add(*name, 3);

  const std::vector<SeenSubject> whole = scan("", 1000);

  ASSERT_THAT(whole, SizeIs(names.size()));
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(whole[i], (SeenSubject{names[i], 3}));
  for (const std::uint32_t page : {1u, 2u, 8u, 9u}) EXPECT_EQ(scan("", page), whole);
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(scan(names[i], 2),
              std::vector<SeenSubject>(whole.begin() + static_cast<std::ptrdiff_t>(i) + 1, whole.end()));
  }
  EXPECT_THAT(scan("aaa", 100), SizeIs(3)) << "a token need not be a subject";
}

TEST_F(Journal, SubjectThatIsNotUtf8DoesNotEndAScan) {
  file().add("a", 1);
  file().run("INSERT INTO events(subject) VALUES (CAST(x'62ff' AS TEXT))");
  file().add("c", 1);

  EXPECT_THAT(scan("", 1), ElementsAre(SeenSubject{"a", 1}, SeenSubject{"c", 1}));
  EXPECT_THAT(host_.logs, ElementsAre(HasSubstr("not UTF-8")));
}

TEST_F(Journal, BatchGivesWhatSingleQueriesGive) {
  const std::vector<std::string> names = {"c", "a", "nobody", "b", "a"};
  for (std::int64_t sequence = 1; sequence <= 20; ++sequence) file().add(sequence % 2 ? "a" : "b", sequence);
  file().add("c", 4);
  std::vector<cape_source_query> queries(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    queries[i].subject = bytes(names[i]);
    queries[i].start = static_cast<std::int64_t>(i) * 2 + 1;
  }
  FakeCall batch;

  ASSERT_EQ(source().query_batch(batch, queries, 3), CAPE_OK);

  std::vector<SeenEvent> singly;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    FakeCall call;
    const QueryResult one = source().query(call, names[i], queries[i].start, 3);
    EXPECT_EQ(queries[i].status, one.status) << names[i];
    if (one.status != CAPE_OK) continue;
    EXPECT_EQ((QueryResult{CAPE_OK, queries[i].next_start, queries[i].latest, queries[i].more}), one)
        << names[i];
    for (SeenEvent& event : call.events) {
      event.query = i;
      singly.push_back(event);
    }
  }
  EXPECT_EQ(batch.events, singly);
}

TEST_F(Journal, BatchSeesOneMomentOfTheDatabase) {
  file().add("a", 1);
  file().add("b", 1);
  std::vector<cape_source_query> queries(2);
  queries[0].subject = bytes("a");
  queries[1].subject = bytes("b");
  queries[0].start = queries[1].start = 1;
  FakeCall call;
  call.on_begin_query = [&](std::uint32_t index) {
    if (index == 1) file().add("b", 2);
  };

  ASSERT_EQ(source().query_batch(call, queries, 10), CAPE_OK);

  EXPECT_EQ(queries[1].latest, 1);
  EXPECT_EQ(queries[1].next_start, 2);
  EXPECT_THAT(call.events, SizeIs(2));
  FakeCall after;
  EXPECT_EQ(source().query(after, "b", 1, 10).latest, 2) << "the snapshot must end with the call";
}

TEST_F(Journal, AnswerEndsAtTheEventThatDidNotFit) {
  for (const std::int64_t sequence : {3, 6, 9}) file().add("a", sequence);
  FakeCall some;
  some.rows_max = 2;
  FakeCall none;
  none.rows_max = 0;

  const QueryResult part = source().query(some, "a", 1, 10);
  const QueryResult nothing = source().query(none, "a", 1, 10);

  EXPECT_EQ(part, (QueryResult{CAPE_OK, 9, 9, 1}));
  EXPECT_EQ(nothing.status, CAPE_LIMIT);
  EXPECT_THAT(none.errors[0], HasSubstr("event 3 is too large"));
}

TEST_F(Journal, LastSequenceOfAllFailsItsSubjectAlone) {
  file().add("a", 1);
  file().add("z", 1);
  file().run("INSERT INTO event SELECT id, 9223372036854775807, 0, '', '' FROM subject WHERE name = 'z'");
  file().run("UPDATE subject SET latest = 9223372036854775807 WHERE name = 'z'");
  std::vector<cape_source_query> queries(2);
  queries[0].subject = bytes("z");
  queries[1].subject = bytes("a");
  queries[0].start = queries[1].start = 1;
  FakeCall call;

  ASSERT_EQ(source().query_batch(call, queries, 10), CAPE_OK);

  EXPECT_EQ(queries[0].status, CAPE_FAILED);
  EXPECT_THAT(call.errors[0], HasSubstr("subject 'z'"));
  EXPECT_EQ(queries[1].status, CAPE_OK);
  EXPECT_THAT(call.events, ElementsAre(SeenEvent{1, 1, 1'000, "set", "x"}));
}

TEST_F(Journal, MissingFileIsTriedAgainUntilItIsThere) {
  FakeCall before;
  std::int64_t bound = 0;

  EXPECT_EQ(source().latest(before, "a", bound), CAPE_RETRY);
  EXPECT_THAT(before.errors[0], HasSubstr("events.db"));
  EXPECT_THAT(before.errors[0], HasSubstr("cape append"));
  std::vector<cape_source_query> queries(2);
  EXPECT_EQ(source().query_batch(before, queries, 10), CAPE_OK);
  EXPECT_EQ(queries[1].status, CAPE_RETRY);
  EXPECT_THAT(before.errors[1], HasSubstr("cape append"));

  file().add("a", 1);
  FakeCall after;
  EXPECT_EQ(source().latest(after, "a", bound), CAPE_OK);
  EXPECT_EQ(bound, 1);
}

TEST_F(Journal, DamagedFileIsNamed) {
  write_file(dir_ / "events.db", std::string(8192, 'x'));
  FakeCall call;

  EXPECT_EQ(source().query(call, "a", 1, 10).status, CAPE_RETRY);
  EXPECT_THAT(call.errors[0], HasSubstr("damaged"));
}

TEST_F(Journal, LockedFileIsTriedAgain) {
  file().add("a", 1);
  file_.reset();
  std::optional<LockedElsewhere> other(dir_.path());
  FakeCall locked;
  std::int64_t bound = 0;

  EXPECT_EQ(source().latest(locked, "a", bound), CAPE_RETRY);
  EXPECT_THAT(locked.errors[0], HasSubstr("locked"));

  other.reset();
  FakeCall unlocked;
  EXPECT_EQ(source().latest(unlocked, "a", bound), CAPE_OK);
}

TEST_F(Journal, ConfigWithoutAnAbsoluteDirectoryIsRefused) {
  host_.config.clear();
  EXPECT_EQ(source().created(), CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs, ElementsAre(HasSubstr("'dir' is missing")));

  source_.reset();
  host_.config["dir"] = "journal";
  EXPECT_EQ(source().created(), CAPE_BAD_CONFIG);
}

}  // namespace
}  // namespace cape::test
