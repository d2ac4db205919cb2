// Mode latest: the newest event at or below the limit runs, once; what is passed over is recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::ElementsAre;

SchedulerPlan latest_plan() {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].mode = Mode::latest;
  return plan;
}

Sequence aim_of(const World& w, std::size_t topology = 0) {
  return w.scheduler.positions(7, 0, nullptr).at(topology).position;
}

const storage::LambdaCursor& record_of(const SaveCursor& save, std::size_t topology = 0) {
  return save.info.topologies.at(topology).lambdas.at(0);
}

// A subject whose source has 1..latest, read first from its cursor, then where the scheduler aims.
IssueJob read_latest(World& w, Sequence latest) {
  w.request(7, latest, run_of(1, 10));
  EXPECT_EQ(w.count<IssueJob>(), 0u) << "there is newer";
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_EQ(aim_of(w), latest - 1);
  w.request(7, latest, run_of(latest, latest));
  return w.only<IssueJob>();
}

TEST(SchedulerLatest, RunsTheNewestEventAloneAndRecordsWhatItPassedOver) {
  World w(latest_plan());
  w.host(1);

  const auto job = read_latest(w, 500);
  EXPECT_EQ(job.events.first_sequence(), 500);
  EXPECT_EQ(job.events.count, 1u);
  w.status(1, all_done(job));
  EXPECT_EQ(w.cursor(7), 500);
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  w.step({CursorSaved{7, 1}});  // the one that told of the latest
  EXPECT_THAT(record_of(w.only<SaveCursor>()).passed, ElementsAre(storage::SequenceRange{1, 499}));
}

TEST(SchedulerLatest, PassesOverNothingWhereNothingLies) {
  World w(latest_plan());
  w.host(1);

  w.request(7, 9, block(1, 9, {9}));
  const auto first = w.only<SaveCursor>();
  w.status(1, all_done(w.only<IssueJob>()));
  w.saved(first);

  EXPECT_TRUE(record_of(w.only<SaveCursor>()).passed.empty());
  EXPECT_EQ(w.cursor(7), 9);
}

TEST(SchedulerLatest, OneJobAtATimeAndThenWhatIsNewestByThen) {
  World w(latest_plan());
  w.host(1);
  const auto job = read_latest(w, 500);

  w.request(7, 700, nothing());
  w.request(7, 800, nothing());
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.count<PingAgain>(), 0u) << "what is newest is seen when the job has ended";
  w.status(1, all_done(job));

  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_EQ(aim_of(w), 799);
  w.request(7, 800, run_of(800, 800));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 800);
}

// The highest sequence that the topology may run need not be an event: nobody can be asked for the one before
// it.
TEST(SchedulerLatest, LooksFurtherBackUntilItFindsAnEvent) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "preview").after = {0};
  plan.topologies[1].mode = Mode::latest;
  World w(plan);
  w.host(1, 64, 2);
  w.request(7, 1000, block(1, 1000, {3, 1000}));  // both may be read at once
  w.status(1, failed_at(w.only<IssueJob>(), 1000, OutcomeKind::retry));
  ASSERT_EQ(w.cursor(7, 0), 3);
  w.step({Tick{}});

  const auto starts = [&] { return aim_of(w, 1) + 1; };
  ASSERT_EQ(starts(), 3);
  w.request(7, 1000, block(3, 3, {3}));

  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.lambda, 1u);
  EXPECT_EQ(job.events.first_sequence(), 3);
}

TEST(SchedulerLatest, AGapBeforeTheLimitIsReadBackwardsInGrowingSteps) {
  World w(latest_plan());
  w.host(1);
  w.request(7, 1'000'000, nothing());
  std::vector<Sequence> starts;

  // The source told of 1,000,000, which was deleted since; 20 is the newest there is.
  while (w.count<IssueJob>() == 0 && starts.size() < 20) {
    const Sequence start = aim_of(w) + 1;
    starts.push_back(start);
    w.request(7, 1'000'000, start <= 20 ? block(start, 1'000'000, {20}) : block(start, 1'000'000, {}));
  }

  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 20);
  EXPECT_LE(starts.size(), 12u);
}

TEST(SchedulerLatest, ANewerEventTakesThePlaceOfOneThatFailed) {
  World w(latest_plan());
  w.host(1);
  w.status(1, failed_at(read_latest(w, 500), 500, OutcomeKind::retry));
  EXPECT_EQ(w.state(7), SubjectState::backing_off);

  w.to_deadline();
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.request(7, 600, run_of(500, 600));
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 600);
  EXPECT_EQ(job.attempt, 0u);
  w.status(1, all_done(job));

  EXPECT_EQ(w.cursor(7), 600);
  EXPECT_EQ(w.scheduler.view(7, 0, nullptr).topologies[0].attempt, 0u);
}

TEST(SchedulerLatest, TheOldestRangesBecomeOneWhenThereAreTooMany) {
  World w(latest_plan());
  w.host(1);
  storage::CursorInfo last;
  for (Sequence i = 1; i <= 40; ++i) {
    w.request(7, 10 * i, run_of(10 * i, 10 * i),
              last.topologies.empty() ? std::nullopt : std::optional(last));
    if (w.count<IssueJob>() == 0) w.request(7, 10 * i, run_of(10 * i, 10 * i));
    const auto job = w.only<IssueJob>();
    std::vector<SaveCursor> saves = all_of<SaveCursor>(w.last);
    w.status(1, all_done(job));
    for (; !saves.empty(); saves = all_of<SaveCursor>(w.last)) {
      last = saves.front().info;
      w.saved(saves.front());
    }
  }

  const auto& passed = last.topologies.at(0).lambdas.at(0).passed;
  EXPECT_EQ(passed.size(), storage::passed_ranges_max);
  EXPECT_EQ(passed.front().first, 1);
  EXPECT_EQ(passed.back().last, 399);
}

TEST(SchedulerLatest, WhatComesAfterGoesOnWhereItWasPassedOver) {
  SchedulerPlan plan = latest_plan();
  add_topology(plan, "late").after = {0};
  World w(plan);
  w.host(1, 64, 2);
  w.request(7, 5, run_of(1, 5));
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 5);
  w.status(1, all_done(job));

  w.request(7, 5, run_of(1, 5));
  EXPECT_EQ(w.only<IssueJob>().events.count, 5u) << "a superseded event counts as passed";
}

TEST(SchedulerLatest, RewindIntoARangeKeepsTheRecordOfWhatLiesBelow) {
  World w(latest_plan());
  w.host(1);
  w.status(1, all_done(read_latest(w, 500)));
  w.step({CursorSaved{7, 1}});
  const auto ran = w.only<SaveCursor>();
  w.saved(ran);

  w.step({Command{.id = 1,
                  .act = Act::rewind,
                  .topology = 0,
                  .subject = 7,
                  .domain = 0,
                  .name = "s7",
                  .stored = ran.info,
                  .sequence = 400,
                  .reason = "because"}});

  EXPECT_EQ(record_of(w.only<SaveCursor>()).cursor, 399);
  EXPECT_THAT(record_of(w.only<SaveCursor>()).passed, ElementsAre(storage::SequenceRange{1, 399}));
}

}  // namespace
}  // namespace cape::scheduler
