// Runs of `cape replay`, as the store keeps them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/cursor_store.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::commit;
using test::TempDir;
using test::write_of;
using testing::ElementsAre;
using testing::IsEmpty;

class StoredReplay : public testing::Test {
 protected:
  void open() {
    store_.reset();
    Result<std::unique_ptr<CursorStore>> opened = open_sqlite_store(dir_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void SetUp() override { open(); }

  void save(ReplayPage page) {
    WriteBatch batch;
    batch.replays.push_back(std::move(page));
    const Result<void> done = commit(*store_, std::move(batch));
    ASSERT_TRUE(done) << done.error().message;
  }
  static Replay replay(std::uint64_t id) {
    return {.id = id,
            .name = "again-" + std::to_string(id),
            .topology = "audit",
            .subject = "order/1",
            .from = 3,
            .to = 900,
            .state = Replay::State::running,
            .cancelled = true,
            .token = "order/17",
            .subjects = 5,
            .done = 2,
            .parked = 1,
            .events = 77,
            .started_wall_ns = 1'700'000'000'000'000'000,
            .ended_wall_ns = 0,
            .reason = "the index was lost"};
  }
  std::vector<std::string> subjects_of(const std::string& domain) {
    std::vector<std::string> names;
    const auto rows = store_->range(domain, "", "", SIZE_MAX);
    for (const StoredSubject& row : *rows) names.push_back(row.subject);
    return names;
  }

  TempDir dir_;
  std::unique_ptr<CursorStore> store_;
};

TEST_F(StoredReplay, IsThereAfterAReopenAsItWasLast) {
  save({.replay = replay(1), .added = {}, .removed = {}});
  Replay later = replay(1);
  later.state = Replay::State::ending;
  later.token = "order/99";
  save({.replay = later, .added = {}, .removed = {}});
  open();

  const auto found = store_->replays();

  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, ElementsAre(later));
}

TEST_F(StoredReplay, ChangesWithTheRecordsOfItsShadowAndNoOthers) {
  WriteBatch live;
  live.cursors.push_back(write_of(1, "a", 9, 9));
  ASSERT_TRUE(commit(*store_, std::move(live)));
  save({.replay = replay(1),
        .added = {write_of(2, "a", 9, 2, "audit@replay"), write_of(3, "b", 4, 2, "audit@replay")},
        .removed = {}});
  EXPECT_THAT(subjects_of("audit@replay"), ElementsAre("a", "b"));

  save({.replay = replay(1), .added = {}, .removed = {2}});
  EXPECT_THAT(subjects_of("audit@replay"), ElementsAre("b"));
  save({.replay = replay(1), .added = {}, .removed = {3}});

  EXPECT_THAT(subjects_of("audit@replay"), IsEmpty());
  EXPECT_THAT(subjects_of("history"), ElementsAre("a"));
  EXPECT_EQ((*store_->load("history", "a"))->info.topologies[0].cursor(), 9);
}

TEST_F(StoredReplay, IsNotChangedByAPageOfWhichARowIsRefused) {
  save({.replay = replay(1), .added = {}, .removed = {}});
  Replay later = replay(1);
  later.token = "z";
  WriteBatch batch;
  batch.replays.push_back(
      {.replay = later,
       .added = {write_of(2, "a", 9, 2, "audit@replay"), write_of(2, "b", 9, 2, "audit@replay")},
       .removed = {}});

  EXPECT_FALSE(commit(*store_, std::move(batch)));

  EXPECT_THAT(*store_->replays(), ElementsAre(replay(1)));
  EXPECT_THAT(subjects_of("audit@replay"), IsEmpty());
}

TEST_F(StoredReplay, TakesItsAuditAlongAndThePauseOfItsShadowAway) {
  WriteBatch paused;
  paused.paused_topologies = {{.topology = "audit@replay", .paused = true, .reason = "load"},
                              {.topology = "audit", .paused = true, .reason = "load"}};
  ASSERT_TRUE(commit(*store_, std::move(paused)));
  ReplayPage page{.replay = replay(1), .added = {}, .removed = {}};
  page.audit = AuditEntry{.time_ns = 1, .act = "replay", .domain = "history", .subject = {}, .topology = "audit"};
  save(page);
  EXPECT_EQ(store_->paused_topologies()->size(), 2u);
  ASSERT_EQ(store_->audit("audit", 10)->size(), 1u);
  EXPECT_EQ(store_->audit("audit", 10)->at(0).act, "replay");

  page.audit.reset();
  page.replay.state = Replay::State::ended;
  page.replay.ended_wall_ns = 5;
  save(page);

  ASSERT_EQ(store_->paused_topologies()->size(), 1u);
  EXPECT_EQ(store_->paused_topologies()->at(0).topology, "audit");
}

TEST_F(StoredReplay, IsForgottenWhenManyHaveEndedSince) {
  save({.replay = replay(1), .added = {}, .removed = {}});  // goes on
  for (std::uint64_t id = 2; id < 2 + replays_kept + 3; ++id) {
    Replay ended = replay(id);
    ended.state = Replay::State::ended;
    ended.ended_wall_ns = 5;
    save({.replay = ended, .added = {}, .removed = {}});
  }

  const auto found = store_->replays();

  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1 + replays_kept);
  EXPECT_EQ(found->at(0).id, 1u);
  EXPECT_EQ(found->at(1).id, 5u);
}

}  // namespace
}  // namespace cape::storage
