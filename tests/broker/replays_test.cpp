#include "broker/replays.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "tests/fakes/memory_store.hpp"

namespace cape::broker {
namespace {

using State = storage::Replay::State;

// Commits at once, and says that it did not when it is told to.
class ReplayStore final : public test::MemoryStore {
 public:
  bool says_no = false;
  std::vector<storage::Replay> replays_stored;

  storage::Ticket submit(storage::WriteBatch batch) override {
    for (const storage::ReplayPage& page : batch.replays) apply(page);
    storage::CommitDone done{.ticket = ++last_, .result = {}};
    if (says_no) done.result = fail(ErrorCode::io, "the disk does not answer");
    done_.push_back(std::move(done));
    return last_;
  }
  std::vector<storage::CommitDone> poll() override { return std::exchange(done_, {}); }
  Result<std::vector<storage::StoredSubject>> range(std::string_view domain, std::string_view after,
                                                    std::string_view, std::size_t) override {
    std::vector<storage::StoredSubject> rows;
    for (const auto& [name, record] : records)
      if (name.first == domain && name.second > after) rows.push_back(record);
    return rows;
  }

 private:
  void apply(const storage::ReplayPage& page) {
    replays_stored.push_back(page.replay);
    for (const storage::CursorWrite& write : page.added)
      records[{write.domain, write.subject}] = {
          .id = write.id, .domain = write.domain, .subject = write.subject, .info = write.info};
    for (SubjectId id : page.removed)
      std::erase_if(records, [id](const auto& entry) { return entry.second.id == id; });
  }

  storage::Ticket last_ = 0;
  std::vector<storage::CommitDone> done_;
};

class NoReads final : public ShadowReads {
 public:
  std::vector<std::string> pinged;
  bool runs = false;

  bool ready(DomainIndex) const override { return true; }
  std::string trouble(DomainIndex) const override { return {}; }
  std::optional<child::CallId> scan(DomainIndex, const std::string&, std::uint32_t) override { return 1; }
  void run(DomainIndex, Sequence) override { runs = true; }
  void end(DomainIndex) override { runs = false; }
  bool has_room(DomainIndex) const override { return true; }
  void ping(DomainIndex, const std::string& subject, std::int64_t) override { pinged.push_back(subject); }
  std::uint64_t events_done(TopologyIndex) const override { return 0; }
};

Config one_topology() {
  Config config;
  config.domains.push_back({.name = "notes"});
  TopologyConfig& topology = config.topologies.emplace_back();
  topology.name = "index";
  topology.lambdas.emplace_back().name = "run";
  return with_shadows(std::move(config));
}

// A replay of subject "a" in the shadow of one topology.
class ReplaysTest : public testing::Test {
 protected:
  Result<std::uint64_t> begin() {
    return replays_.begin(
        {.topology = 0, .name = "again", .subject = "a", .latest = 9, .from = 3, .to = 7, .reason = {}}, 0);
  }
  // A turn of the broker's loop; time goes on by a second.
  void turn() {
    now_.boot_ns += ns_per_s;
    std::vector<scheduler::Input> inputs;
    replays_.step(now_, inputs);
    (void)scheduler_.step(now_, inputs);
    saver_.flush(now_.boot_ns);
    inputs.clear();
    for (const auto& [id, is_stored] : saver_.poll(now_.boot_ns).replays)
      replays_.on_saved(id, is_stored, now_.boot_ns, inputs);
    for (const Replays::Stored& stored : replays_.take_stored()) told_.push_back(stored.ok);
    (void)scheduler_.step(now_, inputs);
  }
  State after_turns(int turns) {
    for (int i = 0; i < turns; ++i) turn();
    return store_.replays_stored.back().state;
  }
  storage::LambdaCursor& cursor() {
    return store_.records.at({"index@replay", "a"}).info.topologies[0].lambdas[0];
  }

  Config config_ = one_topology();
  ReplayStore store_;
  NoReads reads_;
  Saver saver_{config_, store_};
  scheduler::Scheduler scheduler_{scheduler::make_plan(config_), 1};
  Replays replays_{{config_, scheduler_, store_, reads_, saver_}};
  Now now_{.boot_ns = 0, .wall_ns = 0};
  std::vector<bool> told_;
};

TEST_F(ReplaysTest, EndsWhenEveryRecordIsAtTheEndOfTheRange) {
  ASSERT_TRUE(begin());
  turn();
  ASSERT_EQ(told_, std::vector{true});
  turn();
  EXPECT_EQ(reads_.pinged, std::vector<std::string>{"a"});
  EXPECT_EQ(cursor().cursor, 2);

  cursor().cursor = 7;

  EXPECT_EQ(after_turns(4), State::ended);
  EXPECT_EQ(store_.replays_stored.back().done, 1u);
  EXPECT_TRUE(store_.records.empty());
}

// As one that an operator has just rewound: what is in memory is behind, and its record does not tell yet.
TEST_F(ReplaysTest, TakesNoSubjectThatIsInMemoryForDone) {
  ASSERT_TRUE(begin());
  turn();
  const storage::StoredSubject& record = store_.records.at({"index@replay", "a"});
  auto events = std::make_shared<EventBlock>();
  events->proven_from = 3;
  events->proven_to = 7;
  events->add(5, 0, "t", "x");
  const std::vector<scheduler::Input> read{scheduler::SchedulingRequest{.subject = record.id,
                                                                        .domain = 1,
                                                                        .name = "a",
                                                                        .stored = record.info,
                                                                        .latest = 7,
                                                                        .block = events,
                                                                        .unreadable = {}}};
  (void)scheduler_.step(now_, read);
  ASSERT_TRUE(scheduler_.holds(record.id));

  cursor().cursor = 7;

  EXPECT_EQ(after_turns(4), State::running);
  EXPECT_TRUE(reads_.runs);
}

TEST_F(ReplaysTest, GoesOnWithWhatAnOperatorRewoundAtTheLastMoment) {
  ASSERT_TRUE(begin());
  turn();
  cursor().cursor = 7;
  ASSERT_EQ(after_turns(2), State::ending);
  ASSERT_FALSE(reads_.runs);

  cursor().cursor = 4;

  EXPECT_EQ(after_turns(2), State::running);
  EXPECT_TRUE(reads_.runs);
  turn();
  EXPECT_EQ(reads_.pinged, std::vector<std::string>{"a"});
  cursor().cursor = 7;
  EXPECT_EQ(after_turns(4), State::ended);
}

TEST_F(ReplaysTest, EndsOneThatIsOnDiskThoughItWasToldNotToBe) {
  store_.says_no = true;
  ASSERT_TRUE(begin());
  turn();
  ASSERT_EQ(told_, std::vector{false});
  ASSERT_FALSE(store_.records.empty());
  EXPECT_FALSE(begin());

  store_.says_no = false;

  EXPECT_EQ(after_turns(4), State::ended);
  EXPECT_TRUE(store_.replays_stored.back().cancelled);
  EXPECT_TRUE(store_.records.empty());
  EXPECT_TRUE(reads_.pinged.empty());
  EXPECT_TRUE(replays_.begin(
      {.topology = 0, .name = "more", .subject = "a", .latest = 9, .from = 3, .to = 7, .reason = {}}, 0));
}

TEST_F(ReplaysTest, TakesNoCancelBeforeItIsStored) {
  ASSERT_TRUE(begin());

  EXPECT_FALSE(replays_.cancel("again", {}, 0));
  turn();

  EXPECT_TRUE(replays_.cancel("again", {}, 0));
}

}  // namespace
}  // namespace cape::broker
