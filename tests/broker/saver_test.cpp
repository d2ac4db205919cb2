#include "broker/saver.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "tests/fakes/memory_store.hpp"

namespace cape::broker {
namespace {

constexpr std::int64_t ms = ns_per_ms;

// Every commit fails, when it is asked for.
class FullDisk final : public test::MemoryStore {
 public:
  storage::Ticket submit(storage::WriteBatch batch) override {
    batches.push_back(std::move(batch));
    done_.push_back({.ticket = batches.size(), .result = fail(ErrorCode::io, "the disk is full")});
    return batches.size();
  }
  std::vector<storage::CommitDone> poll() override { return std::exchange(done_, {}); }

  std::vector<storage::WriteBatch> batches;

 private:
  std::vector<storage::CommitDone> done_;
};

class SaverOnAFullDisk : public testing::Test {
 protected:
  Config config_{.domains = {{.name = "events"}}};
  FullDisk store_;
  Saver saver_{config_, store_};
};

TEST_F(SaverOnAFullDisk, WakesNobodyWhileNothingWaitsToBeStored) {
  saver_.save({.subject = 1, .domain = 0, .name = "s1", .version = 1}, 1 * ms);
  saver_.flush(5 * ms);
  saver_.remove_lease("h1");
  saver_.flush(5 * ms);
  ASSERT_EQ(store_.batches.size(), 2u);

  const Saver::Done done = saver_.poll(6 * ms);

  EXPECT_EQ(done.saved.size(), 1u);
  EXPECT_EQ(saver_.next_deadline(), std::nullopt);
}

TEST_F(SaverOnAFullDisk, StoresALeaseAgainThatWasNotStored) {
  saver_.put_lease({.host = "h1"});
  saver_.flush(1 * ms);

  (void)saver_.poll(2 * ms);

  ASSERT_TRUE(saver_.next_deadline().has_value());
  saver_.flush(*saver_.next_deadline());
  ASSERT_EQ(store_.batches.size(), 2u);
  ASSERT_EQ(store_.batches[1].leases.size(), 1u);
  EXPECT_EQ(store_.batches[1].leases[0].host, "h1");
}

// The scheduler saves the cursor again, and the ping ends with that: alone it would be forgotten by a crash.
TEST_F(SaverOnAFullDisk, LetsNoPingGoWithoutTheCursorThatItLedTo) {
  saver_.save({.subject = 1, .domain = 0, .name = "s1", .version = 1, .inbox_generation = 7}, 1 * ms);
  saver_.flush(5 * ms);
  ASSERT_EQ(store_.batches.at(0).inbox_clears.size(), 1u);

  (void)saver_.poll(6 * ms);
  saver_.sync();
  saver_.flush(300 * ms);

  ASSERT_EQ(store_.batches.size(), 2u);
  EXPECT_TRUE(store_.batches[1].inbox_clears.empty());
}

TEST_F(SaverOnAFullDisk, WaitsALittleBeforeItStoresAgainWhatCanWait) {
  saver_.clear_inbox({.domain = "events", .subject = "s1", .generation = 1}, 1 * ms);
  saver_.flush(5 * ms);

  (void)saver_.poll(6 * ms);

  EXPECT_EQ(saver_.next_deadline(), 206 * ms);
}

}  // namespace
}  // namespace cape::broker
