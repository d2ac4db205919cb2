// Group commit: who pays for a bad row, what is on disk when, and what happens when the disk says no.
#include "storage/group_writer.hpp"

#include <gtest/gtest.h>

#include "core/clock.hpp"
#include "tests/storage/failing_vfs.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::FailingVfs;
using test::RawDb;
using test::TempDir;
using test::write_of;

class GroupWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<GroupWriter>> opened = GroupWriter::open(dir_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    writer_ = std::move(*opened);
  }
  std::vector<Result<void>> commit(const std::vector<WriteBatch>& batches) {
    std::vector<const WriteBatch*> group;
    for (const WriteBatch& batch : batches) group.push_back(&batch);
    return writer_->commit(group);
  }
  std::string query(const std::string& sql) { return RawDb(dir_.path() / "cape.db").value(sql); }

  FailingVfs vfs_;  // outlives the writer
  TempDir dir_;
  std::unique_ptr<GroupWriter> writer_;
};

TEST_F(GroupWriterTest, OneBadBatchDoesNotFailItsNeighbours) {
  const auto results = commit({{.cursors = {write_of(1, "a", 1, 1)}},
                               {.cursors = {write_of(2, "b", 1, 1), write_of(3, "a", 1, 1)}},  // "a" has id 1
                               {.cursors = {write_of(4, "d", 1, 1)}}});

  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().code, ErrorCode::conflict);
  EXPECT_NE(results[1].error().message.find("history 'a'"), std::string::npos) << results[1].error().message;
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(query("SELECT group_concat(id) FROM cursor_info"), "1,4")
      << "nothing of the bad batch may remain";
}

TEST_F(GroupWriterTest, RefusesARecordUnderTheIdOfAnotherSubject) {
  ASSERT_TRUE(commit({{.cursors = {write_of(1, "a", 1, 1)}}})[0]);

  const auto results = commit({{.cursors = {write_of(1, "b", 9, 9)}}});

  EXPECT_FALSE(results[0]);
  EXPECT_EQ(query("SELECT subject || latest FROM cursor_info"), "a1");
}

TEST_F(GroupWriterTest, RefusesRowsThatBreakALimit) {
  CursorWrite negative = write_of(2, "b", 1, 1);
  negative.info.latest = -1;
  const std::vector<WriteBatch> bad = {{.cursors = {write_of(0, "a", 1, 1)}},
                                       {.cursors = {write_of(~SubjectId{0}, "a", 1, 1)}},
                                       {.cursors = {write_of(1, "", 1, 1)}},
                                       {.cursors = {write_of(1, std::string(256, 'x'), 1, 1)}},
                                       {.cursors = {write_of(1, "a\xff", 1, 1)}},
                                       {.cursors = {write_of(1, "a", 1, 1, "")}},
                                       {.cursors = {negative}},
                                       {.inbox = {{"history", "", 1}}},
                                       {.inbox = {{"history", "a", ~std::uint64_t{0}}}}};
  for (const WriteBatch& batch : bad) {
    const auto results = commit({batch});
    ASSERT_FALSE(results[0]);
    EXPECT_EQ(results[0].error().code, ErrorCode::invalid) << results[0].error().message;
  }
  EXPECT_EQ(query("SELECT count(*) FROM cursor_info"), "0");
  EXPECT_EQ(query("SELECT count(*) FROM inbox"), "0");
}

TEST_F(GroupWriterTest, ABatchThatFailsTakesItsNewDomainBack) {
  ASSERT_FALSE(commit({{.cursors = {write_of(1, "a", 1, 1, "fresh"), write_of(2, "a", 1, 1, "fresh")}}})[0]);

  ASSERT_TRUE(commit({{.cursors = {write_of(3, "b", 1, 1, "fresh")}}})[0]);

  EXPECT_EQ(query("SELECT name FROM domain JOIN cursor_info ON domain.id = cursor_info.domain"), "fresh");
}

TEST_F(GroupWriterTest, FullDiskFailsTheGroupAndNothingOfItIsApplied) {
  ASSERT_TRUE(commit({{.cursors = {write_of(1, "a", 1, 1)}}})[0]);
  FailingVfs::fail_log_writes = true;

  const auto results = commit({{.cursors = {write_of(1, "a", 2, 2)}}, {.cursors = {write_of(2, "b", 2, 2)}}});

  for (const Result<void>& result : results) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::io);
    EXPECT_NE(result.error().message.find("cape.db"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("make room"), std::string::npos) << result.error().message;
  }
  EXPECT_EQ(query("SELECT group_concat(subject || latest) FROM cursor_info"), "a1");
}

TEST_F(GroupWriterTest, GoesOnOnceThereIsRoomAgain) {
  FailingVfs::fail_log_writes = true;
  ASSERT_FALSE(commit({{.cursors = {write_of(1, "a", 1, 1)}}})[0]);
  FailingVfs::fail_log_writes = false;

  ASSERT_TRUE(commit({{.cursors = {write_of(1, "a", 2, 2)}}})[0]);

  EXPECT_EQ(query("SELECT latest FROM cursor_info"), "2");
}

TEST_F(GroupWriterTest, ABatchThatAsksForItIsOnDiskBeforeItCounts) {
  const int before = FailingVfs::log_syncs;

  ASSERT_TRUE(commit(
      {{.cursors = {write_of(1, "a", 1, 1)}}, {.cursors = {write_of(2, "b", 1, 1)}, .sync = true}})[0]);

  EXPECT_GT(FailingVfs::log_syncs, before);
  EXPECT_FALSE(writer_->sync_due_ns());
}

TEST_F(GroupWriterTest, OrdinaryBatchesAreSyncedTogetherWithinASecond) {
  const int before = FailingVfs::log_syncs;
  const std::int64_t start_ns = boot_ns();
  for (SubjectId id = 1; id <= 50; ++id) {
    ASSERT_TRUE(commit({{.cursors = {write_of(id, std::to_string(id), 1, 1)}}})[0]);
  }
  ASSERT_EQ(FailingVfs::log_syncs, before) << "no sync a commit";
  ASSERT_TRUE(writer_->sync_due_ns());
  EXPECT_LT(*writer_->sync_due_ns() - start_ns, ns_per_s);

  writer_->sync_if_due(*writer_->sync_due_ns() - 1);
  EXPECT_EQ(FailingVfs::log_syncs, before);
  writer_->sync_if_due(*writer_->sync_due_ns());

  EXPECT_EQ(FailingVfs::log_syncs, before + 1);
  EXPECT_FALSE(writer_->sync_due_ns());
}

TEST_F(GroupWriterTest, AnEmptyBatchWithSyncPutsEverythingBeforeItOnDisk) {
  ASSERT_TRUE(commit({{.cursors = {write_of(1, "a", 1, 1)}}})[0]);
  const int before = FailingVfs::log_syncs;

  ASSERT_TRUE(commit({{.sync = true}})[0]);

  EXPECT_EQ(FailingVfs::log_syncs, before + 1);
  EXPECT_FALSE(writer_->sync_due_ns());
}

TEST_F(GroupWriterTest, FailedSyncFailsTheBatchAndEverythingAfterIt) {
  FailingVfs::fail_log_syncs = true;
  ASSERT_FALSE(commit({{.cursors = {write_of(1, "a", 1, 1)}, .sync = true}})[0]);
  FailingVfs::fail_log_syncs = false;

  const auto after = commit({{.cursors = {write_of(2, "b", 1, 1)}}});

  ASSERT_FALSE(after[0]) << "the system may have dropped what it could not sync";
  EXPECT_EQ(after[0].error().code, ErrorCode::io);
  EXPECT_EQ(query("SELECT count(*) FROM cursor_info"), "0");
}

TEST_F(GroupWriterTest, FailedSyncInTheBackgroundFailsTheNextBatch) {
  ASSERT_TRUE(commit({{.cursors = {write_of(1, "a", 1, 1)}}})[0]);
  FailingVfs::fail_log_syncs = true;
  writer_->sync_if_due(*writer_->sync_due_ns());
  FailingVfs::fail_log_syncs = false;

  const auto after = commit({{.cursors = {write_of(2, "b", 1, 1)}}});

  ASSERT_FALSE(after[0]);
  EXPECT_NE(after[0].error().message.find("sync"), std::string::npos) << after[0].error().message;
  EXPECT_FALSE(writer_->sync_due_ns());
}

}  // namespace
}  // namespace cape::storage
