// Which version a lambda runs, as the store keeps it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/cursor_store.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::commit;
using test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;

Canary canary_of(const std::string& lambda) {
  return {.topology = "audit",
          .lambda = lambda,
          .stable = {"aa11", "1.0.0"},
          .candidate = {"bb22", "1.1.0"},
          .stable_in_twin = true,
          .share = 2500,
          .began_wall_ns = 1'700'000'000'000'000'000,
          .rejected = {"cc33", "dd44"},
          .verdict = "rolled back: it failed",
          .verdict_wall_ns = 1'700'000'000'000'000'001};
}

class StoredCanary : public testing::Test {
 protected:
  void open() {
    store_.reset();
    Result<std::unique_ptr<CursorStore>> opened = open_sqlite_store(dir_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void SetUp() override { open(); }
  void put(Canary canary) {
    WriteBatch batch;
    batch.canaries.push_back(std::move(canary));
    batch.sync = true;
    const Result<void> done = commit(*store_, std::move(batch));
    ASSERT_TRUE(done) << done.error().message;
  }

  TempDir dir_;
  std::unique_ptr<CursorStore> store_;
};

TEST_F(StoredCanary, IsReadBackAsItWasAfterARestart) {
  put(canary_of("write"));
  put(canary_of("index"));
  open();

  const auto found = store_->canaries();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, ElementsAre(canary_of("index"), canary_of("write")));
}

TEST_F(StoredCanary, NewestWriteOfALambdaReplacesTheOlderOne) {
  put(canary_of("write"));
  Canary promoted = canary_of("write");
  promoted.stable = std::exchange(promoted.candidate, {});
  promoted.share = 0;
  promoted.rejected.clear();
  put(promoted);

  const auto found = store_->canaries();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, ElementsAre(promoted));
}

TEST_F(StoredCanary, ThereIsNoneAtFirst) {
  const auto found = store_->canaries();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, IsEmpty());
}

}  // namespace
}  // namespace cape::storage
