// Where topologies begin whose start is "latest", as the store keeps it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/cursor_store.hpp"
#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::commit;
using test::RawDb;
using test::TempDir;
using test::write_of;
using testing::ElementsAre;
using testing::IsEmpty;

using Latest = std::vector<std::pair<std::string, Sequence>>;

class StoredBaseline : public testing::Test {
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
  static BaselinePage page(Latest latest, bool done = false, std::vector<std::string> topologies = {"mail"}) {
    BaselinePage page{.baseline = {.id = 1,
                                   .domain = "history",
                                   .topologies = std::move(topologies),
                                   .token = latest.empty() ? "" : latest.back().first,
                                   .subjects = latest.size(),
                                   .done = done},
                      .latest = std::move(latest)};
    return page;
  }
  std::vector<FixedStart> starts_of(const std::string& subject) {
    const auto found = store_->load("history", subject);
    if (!found) return {{found.error().message, -1}};
    return *found ? (*found)->info.starts : std::vector<FixedStart>();
  }
  // "subject id topology:cursor ..." of each.
  static std::vector<std::string> texts(const Result<std::vector<StoredSubject>>& found) {
    if (!found) return {found.error().message};
    std::vector<std::string> all;
    for (const StoredSubject& subject : *found) {
      std::string& text = all.emplace_back(subject.subject + " " + std::to_string(subject.id));
      for (const FixedStart& start : subject.info.starts)
        text += " " + start.topology + ":" + std::to_string(start.cursor);
    }
    return all;
  }

  TempDir dir_;
  std::unique_ptr<CursorStore> store_;
};

TEST_F(StoredBaseline, IsGivenWithSubjectsThatHaveNoRecordOfTheTopology) {
  save({.cursors = {write_of(1, "b", 9, 9)}, .baselines = {page({{"a", 5}, {"b", 9}}, true)}});

  EXPECT_THAT(starts_of("a"), ElementsAre(FixedStart{"mail", 5}));
  EXPECT_THAT(starts_of("b"), ElementsAre(FixedStart{"mail", 9}));
  EXPECT_THAT(starts_of("c"), IsEmpty());
  EXPECT_EQ((*store_->load("history", "a"))->id, 0u) << "it has no record";
  EXPECT_EQ((*store_->load("history", "b"))->id, 1u);
  EXPECT_FALSE(store_->load("history", "c")->has_value());
  EXPECT_FALSE(store_->load("other", "a")->has_value());
}

TEST_F(StoredBaseline, GivesWayToTheTopologysOwnRecord) {
  save({.baselines = {page({{"a", 5}}, true, {"audit", "mail"})}});
  EXPECT_THAT(starts_of("a"), ElementsAre(FixedStart{"audit", 5}, FixedStart{"mail", 5}));

  save({.cursors = {write_of(1, "a", 7, 6)}});  // of topology audit

  EXPECT_THAT(starts_of("a"), ElementsAre(FixedStart{"mail", 5}));
}

TEST_F(StoredBaseline, NeverMovesWhatIsFixed) {
  save({.baselines = {page({{"a", 5}})}});

  save({.baselines = {page({{"a", 8}, {"b", 2}}, true)}});

  EXPECT_THAT(starts_of("a"), ElementsAre(FixedStart{"mail", 5}));
  EXPECT_THAT(starts_of("b"), ElementsAre(FixedStart{"mail", 2}));
}

TEST_F(StoredBaseline, TellsAfterAReopenHowFarItIs) {
  save({.baselines = {page({{"a", 5}, {"b", 2}})}});
  open();

  const auto found = store_->baselines();

  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, ElementsAre(page({{"a", 5}, {"b", 2}}).baseline));
  EXPECT_THAT(starts_of("b"), ElementsAre(FixedStart{"mail", 2}));
}

TEST_F(StoredBaseline, LiesBetweenTheRecordsOfARange) {
  save({.cursors = {write_of(1, "b", 9, 9), write_of(2, "d", 3, 3)},
        .baselines = {page({{"a", 5}, {"b", 9}, {"c", 1}, {"e", 4}}, true)}});

  EXPECT_THAT(texts(store_->range("history", "", "", 100)),
              ElementsAre("a 0 mail:5", "b 1 mail:9", "c 0 mail:1", "d 2", "e 0 mail:4"));
  EXPECT_THAT(texts(store_->range("history", "a", "d", SIZE_MAX)),
              ElementsAre("b 1 mail:9", "c 0 mail:1", "d 2"));
  EXPECT_THAT(texts(store_->range("history", "a", "", 2)), ElementsAre("b 1 mail:9", "c 0 mail:1"));
  EXPECT_THAT(texts(store_->range("history", "b", "c", 100)), ElementsAre("c 0 mail:1"));
  EXPECT_THAT(texts(store_->range("history", "", "", 0)), IsEmpty());
}

TEST_F(StoredBaseline, IsGivenWithThoseThatAreBehind) {
  save({.cursors = {write_of(1, "b", 9, 7)}, .baselines = {page({{"a", 5}, {"b", 9}}, true)}});

  EXPECT_THAT(texts(store_->behind(0, 100)), ElementsAre("b 1 mail:9"));
}

TEST_F(StoredBaseline, OfTwoScansEachSaysItsOwn) {
  BaselinePage second = page({{"b", 6}, {"c", 7}}, true, {"search"});
  second.baseline.id = 2;
  save({.baselines = {page({{"a", 5}, {"b", 2}}, true), second}});

  EXPECT_THAT(texts(store_->range("history", "", "", 100)),
              ElementsAre("a 0 mail:5", "b 0 mail:2 search:6", "c 0 search:7"));
}

TEST_F(StoredBaseline, IsThereInAStoreOfAnOlderVersion) {
  save({.cursors = {write_of(1, "b", 9, 7)}});
  store_.reset();
  RawDb raw(dir_.path() / "cape.db");
  ASSERT_EQ(raw.run("DROP TABLE baseline; DROP TABLE baseline_topology; DROP TABLE baseline_start; DROP TABLE coverage;"
                    "DROP TABLE replay; DROP TABLE pin; DROP TABLE canary;"
                    "PRAGMA user_version = 3"),
            "");

  open();
  save({.baselines = {page({{"b", 9}}, true)}});

  EXPECT_THAT(texts(store_->range("history", "", "", 100)), ElementsAre("b 1 mail:9"));
}

}  // namespace
}  // namespace cape::storage
