// The cursor store through its port: what is written comes back, in order, and only once it is done.
#include "storage/cursor_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::commit;
using test::is_readable;
using test::RawDb;
using test::TempDir;
using test::wait_for;
using test::write_of;
using testing::ElementsAre;

class CursorStoreTest : public testing::Test {
 protected:
  void open() {
    store_.reset();
    Result<std::unique_ptr<CursorStore>> opened = open_sqlite_store(dir_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void SetUp() override { open(); }

  void save(WriteBatch batch) {
    const Result<void> done = commit(*store_, std::move(batch));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<std::string> subjects(const Result<std::vector<StoredSubject>>& found) {
    if (!found) return {found.error().message};
    std::vector<std::string> names;
    for (const StoredSubject& subject : *found) names.push_back(subject.subject);
    return names;
  }
  std::vector<std::string> inbox(std::size_t limit = 100, std::string_view after_domain = "",
                                 std::string_view after_subject = "") {
    const Result<std::vector<InboxRow>> rows = store_->inbox(limit, after_domain, after_subject);
    if (!rows) return {rows.error().message};
    std::vector<std::string> texts;
    for (const InboxRow& row : *rows) {
      texts.push_back(row.domain + ":" + row.subject + ":" + std::to_string(row.generation));
    }
    return texts;
  }

  TempDir dir_;
  std::unique_ptr<CursorStore> store_;
};

TEST_F(CursorStoreTest, GivesBackTheRecordItStored) {
  CursorWrite written = write_of(3, "order/17", 100, 90);
  written.info.topologies[0].lambdas[0].reason = "first attempt failed";
  save({.cursors = {written}});

  const auto found = store_->load("history", "order/17");

  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, 3u);
  EXPECT_EQ((*found)->domain, "history");
  EXPECT_EQ((*found)->subject, "order/17");
  EXPECT_TRUE((*found)->behind);
  EXPECT_EQ((*found)->info, written.info);
}

TEST_F(CursorStoreTest, KnowsNothingOfSubjectsAndDomainsItNeverStored) {
  save({.cursors = {write_of(1, "a", 1, 1)}});

  EXPECT_FALSE(store_->load("history", "b")->has_value());
  EXPECT_FALSE(store_->load("nowhere", "a")->has_value());
  EXPECT_TRUE(store_->range("nowhere", "", "", 10)->empty());
}

TEST_F(CursorStoreTest, SeesADomainThatCameAfterAReadMissedIt) {
  EXPECT_FALSE(store_->load("later", "a")->has_value());
  save({.cursors = {write_of(1, "a", 1, 1, "later")}});
  EXPECT_TRUE(store_->load("later", "a")->has_value());
}

TEST_F(CursorStoreTest, ReplacesARecordAndTurnsItsBehindFlagBothWays) {
  save({.cursors = {write_of(1, "a", 10, 0), write_of(2, "b", 10, 10)}});
  EXPECT_THAT(subjects(store_->behind(0, 10)), ElementsAre("a"));

  save({.cursors = {write_of(1, "a", 10, 10), write_of(2, "b", 11, 10)}});

  EXPECT_THAT(subjects(store_->behind(0, 10)), ElementsAre("b"));
  EXPECT_EQ((*store_->load("history", "a"))->info, test::info(10, 10));
  EXPECT_EQ((*store_->load("history", "b"))->info, test::info(11, 10));
}

TEST_F(CursorStoreTest, KeepsTheLastWriteOfASubjectInABatch) {
  save({.cursors = {write_of(1, "a", 10, 1), write_of(1, "a", 10, 3), write_of(1, "a", 10, 2)}});
  EXPECT_EQ((*store_->load("history", "a"))->info, test::info(10, 2));
}

TEST_F(CursorStoreTest, RangeIsExclusiveBelowInclusiveAboveInByteOrderAndPaged) {
  save({.cursors = {write_of(1, "b", 1, 1), write_of(2, "a", 1, 1), write_of(3, "a\xc3\xa4", 1, 1),
                    write_of(4, "B", 1, 1), write_of(5, "c", 1, 1), write_of(6, "a", 1, 1, "other")}});

  EXPECT_THAT(subjects(store_->range("history", "", "", 10)), ElementsAre("B", "a", "a\xc3\xa4", "b", "c"));
  EXPECT_THAT(subjects(store_->range("history", "a", "b", 10)), ElementsAre("a\xc3\xa4", "b"));
  EXPECT_THAT(subjects(store_->range("history", "a", "", 1)), ElementsAre("a\xc3\xa4"));
  EXPECT_THAT(subjects(store_->range("history", "c", "", 10)), ElementsAre());
  EXPECT_THAT(subjects(store_->range("history", "", "", 0)), ElementsAre());
}

TEST_F(CursorStoreTest, PagesThroughWhatIsBehindById) {
  WriteBatch batch;
  for (SubjectId id = 1; id <= 100; ++id) {
    batch.cursors.push_back(write_of(id, "s" + std::to_string(id), 10, id % 10 == 0 ? 5 : 10));
  }
  save(std::move(batch));

  EXPECT_THAT(subjects(store_->behind(0, 3)), ElementsAre("s10", "s20", "s30"));
  EXPECT_THAT(subjects(store_->behind(30, 3)), ElementsAre("s40", "s50", "s60"));
  EXPECT_THAT(subjects(store_->behind(90, 10)), ElementsAre("s100"));
  EXPECT_THAT(subjects(store_->behind(100, 10)), ElementsAre());
}

TEST_F(CursorStoreTest, FindsWhatIsBehindThroughItsOwnSmallIndex) {
  RawDb raw(dir_.path() / "cape.db");

  const std::string plan = raw.value(
      "EXPLAIN QUERY PLAN SELECT id, domain, subject, behind, record FROM cursor_info"
      " WHERE behind = 1 AND id > 5 ORDER BY id LIMIT 10");

  EXPECT_NE(plan.find("USING INDEX cursor_info_behind (behind=? AND rowid>?)"), std::string::npos) << plan;
}

TEST_F(CursorStoreTest, KeepsTheSlotOfASubjectWithItsRecord) {
  save({.cursors = {write_of(1, "order/17", 1, 1)}});
  RawDb raw(dir_.path() / "cape.db");

  EXPECT_EQ(raw.value("SELECT slot FROM cursor_info"), "598");
}

TEST_F(CursorStoreTest, HoldsOneInboxRowASubjectWithTheHighestGeneration) {
  save({.inbox = {{"history", "a", 1}, {"history", "b", 2}}});
  save({.inbox = {{"history", "a", 5}, {"history", "a", 4}}});

  EXPECT_THAT(inbox(), ElementsAre("history:a:5", "history:b:2"));
}

TEST_F(CursorStoreTest, ClearsAnInboxRowOnlyIfNoNewerPingCame) {
  save({.inbox = {{"history", "a", 7}, {"history", "b", 7}}});

  save({.inbox_clears = {{"history", "a", 6}, {"history", "b", 7}, {"history", "unknown", 9}}});

  EXPECT_THAT(inbox(), ElementsAre("history:a:7"));
}

TEST_F(CursorStoreTest, AppliesPingAndClearOfOneBatchByGeneration) {
  save({.inbox = {{"history", "a", 3}, {"history", "b", 4}, {"history", "c", 1}},
        .inbox_clears = {{"history", "a", 3}, {"history", "b", 3}}});

  EXPECT_THAT(inbox(), ElementsAre("history:b:4", "history:c:1"));
}

TEST_F(CursorStoreTest, PagesThroughTheInboxWithoutMissingARow) {
  save(
      {.inbox = {{"zeta", "a", 1}, {"zeta", "c", 1}, {"alpha", "a", 1}, {"alpha", "b", 1}, {"mid", "x", 1}}});

  std::vector<std::string> all;
  InboxRow last;
  while (true) {
    const auto page = store_->inbox(2, last.domain, last.subject);
    ASSERT_TRUE(page);
    if (page->empty()) break;
    for (const InboxRow& row : *page) all.push_back(row.domain + ":" + row.subject);
    last = page->back();
  }

  EXPECT_THAT(all, testing::UnorderedElementsAre("zeta:a", "zeta:c", "alpha:a", "alpha:b", "mid:x"));
}

TEST_F(CursorStoreTest, ForgetsGenerationsButNoInboxRowOverARestart) {
  save({.inbox = {{"history", "a", 900}}});

  open();

  EXPECT_THAT(inbox(), ElementsAre("history:a:0"));
  save({.inbox_clears = {{"history", "a", 1}}});
  EXPECT_THAT(inbox(), ElementsAre());
}

TEST_F(CursorStoreTest, KeepsHostLeasesUntilTheyAreRemoved) {
  const SessionId session = 0xffff'ffff'ffff'fff0;
  save({.leases = {{"host_a", session, 123}, {"host_b", 1, 2}}, .sync = true});
  save({.leases = {{"host_a", session, 456}}, .leases_removed = {"host_b", "host_c"}});
  open();

  const auto leases = store_->leases();

  ASSERT_TRUE(leases);
  ASSERT_EQ(leases->size(), 1u);
  EXPECT_EQ((*leases)[0].host, "host_a");
  EXPECT_EQ((*leases)[0].session, session);
  EXPECT_EQ((*leases)[0].lease_ms, 456);
}

TEST_F(CursorStoreTest, EpochRisesByOneWithEachOpen) {
  EXPECT_EQ(store_->epoch(), 1u);
  open();
  EXPECT_EQ(store_->epoch(), 2u);
  open();
  EXPECT_EQ(store_->epoch(), 3u);
}

TEST_F(CursorStoreTest, NewSubjectIdsLieAboveEveryStoredOne) {
  EXPECT_EQ(store_->new_subject_id(), 1u);
  EXPECT_EQ(store_->new_subject_id(), 2u);
  save({.cursors = {write_of(41, "a", 1, 1)}});

  open();

  EXPECT_EQ(store_->new_subject_id(), 42u);
}

TEST_F(CursorStoreTest, ReportsCommitsInTheOrderOfSubmission) {
  Ticket last = 0;
  for (SubjectId id = 1; id <= 500; ++id) {
    last = store_->submit({.cursors = {write_of(id, "s" + std::to_string(id), 1, 1)}, .sync = id % 100 == 0});
  }

  const std::vector<CommitDone> done = wait_for(*store_, last);

  ASSERT_EQ(done.size(), 500u);
  for (std::size_t i = 0; i < done.size(); ++i) {
    EXPECT_EQ(done[i].ticket, i + 1);
    EXPECT_TRUE(done[i].result);
  }
  EXPECT_EQ(store_->queued_rows(), 0u);
}

TEST_F(CursorStoreTest, ItsDescriptorIsReadableJustWhileSomethingIsToReport) {
  EXPECT_FALSE(is_readable(store_->fd()));
  const Ticket ticket = store_->submit({.cursors = {write_of(1, "a", 1, 1)}});
  wait_for(*store_, ticket);

  EXPECT_FALSE(is_readable(store_->fd()));
  EXPECT_TRUE(store_->poll().empty());
}

TEST_F(CursorStoreTest, CountsQueuedRowsOfEveryKindUntilTheyAreDone) {
  // A foreign writer holds the database, so nothing can be done before it lets go.
  RawDb raw(dir_.path() / "cape.db");
  ASSERT_EQ(raw.run("BEGIN IMMEDIATE"), "");
  const Ticket ticket = store_->submit({.cursors = {write_of(1, "a", 1, 1), write_of(2, "b", 1, 1)},
                                        .inbox = {{"history", "a", 1}},
                                        .inbox_clears = {{"history", "b", 1}},
                                        .leases = {{"h", 1, 1}},
                                        .leases_removed = {"x"}});

  EXPECT_EQ(store_->queued_rows(), 6u);
  EXPECT_FALSE(store_->load("history", "a")->has_value());
  ASSERT_EQ(raw.run("ROLLBACK"), "");
  wait_for(*store_, ticket);

  EXPECT_EQ(store_->queued_rows(), 0u);
  EXPECT_TRUE(store_->load("history", "a")->has_value());
}

TEST_F(CursorStoreTest, CommitsWhatWasSubmittedBeforeItCloses) {
  for (SubjectId id = 1; id <= 200; ++id)
    store_->submit({.cursors = {write_of(id, std::to_string(id), 1, 1)}});

  open();

  EXPECT_EQ(store_->range("history", "", "", 1000)->size(), 200u);
}

TEST_F(CursorStoreTest, LeavesNoLogBehindWhenItCloses) {
  save({.cursors = {write_of(1, "a", 1, 1)}});

  store_.reset();

  EXPECT_FALSE(fs::exists(dir_.path() / "cape.db-wal"));
}

TEST_F(CursorStoreTest, FilesAreTheOwnersAlone) {
  save({.cursors = {write_of(1, "a", 1, 1)}});

  for (const char* name : {"cape.db", "cape.db-wal", "cape.db-shm"})
    EXPECT_EQ(test::mode_of(dir_.path() / name), "0600");
}

TEST_F(CursorStoreTest, ReadOnlyOpenReadsBesideAndAfterABroker) {
  save({.cursors = {write_of(1, "a", 5, 5)}});
  const auto beside = open_sqlite_store_read_only(dir_.path());
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_TRUE((*beside)->load("history", "a")->has_value());

  store_.reset();
  const auto after = open_sqlite_store_read_only(dir_.path());

  ASSERT_TRUE(after) << after.error().message;
  EXPECT_TRUE((*after)->load("history", "a")->has_value());
  EXPECT_EQ((*after)->epoch(), 1u);
}

TEST(ReadOnlyStore, SaysThatThereIsNoStoreYet) {
  TempDir dir;

  const auto opened = open_sqlite_store_read_only(dir.path());

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(ReadOnlyStore, TakesAFileWithoutTablesForNoStore) {
  TempDir dir;
  RawDb(dir.path() / "cape.db").run("PRAGMA journal_mode = WAL");

  const auto opened = open_sqlite_store_read_only(dir.path());

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
}

TEST_F(CursorStoreTest, KeepsWhatIsProvenOfATopology) {
  const CoverageRow first{.domain = "history",
                          .topology = "audit",
                          .proven_wall_ns = 7,
                          .subjects = 3,
                          .exceptions = 2,
                          .stuck = 1};
  CoverageRow later = first;
  later.proven_wall_ns = 9;
  save({.coverage = {first, {.domain = "history", .topology = "index", .proven_wall_ns = 5}}});
  save({.coverage = {later}});
  open();

  const auto found = store_->coverage();

  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found,
              ElementsAre(later, CoverageRow{.domain = "history", .topology = "index", .proven_wall_ns = 5}));
}

}  // namespace
}  // namespace cape::storage
