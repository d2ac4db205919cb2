// Which versions of plugins are pinned, as the store keeps them.
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

class StoredPin : public testing::Test {
 protected:
  void open() {
    store_.reset();
    Result<std::unique_ptr<CursorStore>> opened = open_sqlite_store(dir_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void SetUp() override { open(); }

  void write(Pin pin, bool pinned) {
    WriteBatch batch;
    batch.pins.push_back({.pin = std::move(pin), .pinned = pinned});
    EXPECT_FALSE(batch.empty());
    const Result<void> done = commit(*store_, std::move(batch));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<Pin> pins() {
    const auto found = store_->pins();
    EXPECT_TRUE(found);
    return found.value_or(std::vector<Pin>());
  }

  const Pin by_version{
      .plugin = "geo", .version = "1.10", .hash = "", .since_wall_ns = 77, .reason = "incident 17"};
  const Pin by_hash{
      .plugin = "audit_log", .version = "", .hash = std::string(64, 'a'), .since_wall_ns = 1, .reason = ""};
  TempDir dir_;
  std::unique_ptr<CursorStore> store_;
};

TEST_F(StoredPin, IsThereAfterARestartAsItWasWritten) {
  write(by_version, true);
  write(by_hash, true);

  open();

  EXPECT_THAT(pins(), ElementsAre(by_hash, by_version));
}

TEST_F(StoredPin, ReplacesTheOneBeforeOfItsPlugin) {
  write(by_version, true);
  Pin next = by_version;
  next.version = "1.11";
  write(next, true);

  EXPECT_THAT(pins(), ElementsAre(next));
}

TEST_F(StoredPin, IsGoneForGoodWhenItIsTakenBack) {
  write(by_version, true);
  write(by_version, false);
  open();

  EXPECT_THAT(pins(), IsEmpty());
}

}  // namespace
}  // namespace cape::storage
