// `after`: a topology sees an event only when others are through with it.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

// first <- then <- last; `first` gets one event a job.
SchedulerPlan chain() {
  SchedulerPlan plan;
  add_topology(plan, "first").batch_events = 1;
  add_topology(plan, "then").after = {0};
  add_topology(plan, "last").after = {1};
  return plan;
}

TopologyView view_of(const World& w, std::size_t topology, const storage::CursorInfo* stored = nullptr) {
  return w.scheduler.view(7, 0, stored).topologies[topology];
}

storage::CursorInfo chain_at(Sequence latest, Sequence first, Sequence then, Sequence last) {
  const auto at = [](const char* name, Sequence cursor) {
    return storage::TopologyCursor{.topology = name, .lambdas = {{.lambda = "run", .cursor = cursor}}};
  };
  return {.latest = latest, .topologies = {at("first", first), at("then", then), at("last", last)}};
}

TEST(SchedulerAfter, IssuesNoEventBeforeTheEarlierTopologyIsThroughWithIt) {
  World w(chain());
  w.host(1, 64, 3);

  w.request(7, 2, run_of(1, 2));
  auto job = w.only<IssueJob>();
  EXPECT_EQ(job.lambda, 0u);
  EXPECT_EQ(view_of(w, 1).state, SubjectState::waiting);
  EXPECT_EQ(view_of(w, 1).reason, "comes after topology 'first', which is in_flight with its cursor at 0");
  EXPECT_FALSE(view_of(w, 1).stopped);
  for (const TopologyPosition& at : w.scheduler.positions(7, 0, nullptr))
    EXPECT_FALSE(at.can_run) << at.topology;

  w.status(1, all_done(job));
  EXPECT_EQ(w.only<IssueJob>().lambda, 0u);
  w.request(7, 2, run_of(1, 2));

  job = w.only<IssueJob>();
  EXPECT_EQ(job.lambda, 1u);
  EXPECT_EQ(job.events.last_sequence(), 1);
}

TEST(SchedulerAfter, AsksForTheEventsAsSoonAsTheEarlierCursorMoves) {
  World w(chain());
  w.host(1, 64, 3);
  w.request(7, 1, run_of(1, 1));

  for (LambdaIndex lambda = 0; lambda < 3; ++lambda) {
    const auto job = w.only<IssueJob>();
    EXPECT_EQ(job.lambda, lambda);
    w.status(1, all_done(job));
    EXPECT_EQ(w.count<PingAgain>(), lambda < 2 ? 1u : 0u);
    w.request(7, 1, run_of(1, 1));
  }

  EXPECT_EQ(w.cursor(7, 2), 1);
}

TEST(SchedulerAfter, WaitsForTheLowestOfItsEarlierTopologies) {
  SchedulerPlan plan;
  add_topology(plan, "late").after = {1, 2};
  add_topology(plan, "fast");
  add_topology(plan, "slow", {"a", "b"});
  World w(plan);
  w.host(1, 64, 4);
  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 3u);

  w.status(1, all_done(jobs[0]));
  w.status(1, all_done(jobs[1]));
  w.request(7, 3, run_of(1, 3));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(view_of(w, 0).reason, "comes after topology 'slow', which is in_flight with its cursor at 0");

  w.status(1, failed_at(jobs[2], 3, OutcomeKind::retry));
  w.request(7, 3, run_of(1, 3));

  const auto late = w.only<IssueJob>();
  EXPECT_EQ(late.lambda, 0u);
  EXPECT_EQ(late.events.last_sequence(), 2);
}

TEST(SchedulerAfter, SeesOnlyTheFinishedPrefixOfAPipelinedTopology) {
  SchedulerPlan plan = chain();
  plan.topologies[0].mode = Mode::pipelined;
  World w(plan);
  w.host(1, 64, 3);
  w.request(7, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 3u);

  w.status(1, all_done(jobs[2]));
  w.request(7, 3, run_of(1, 3));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.status(1, all_done(jobs[0]));
  w.request(7, 3, run_of(1, 3));

  EXPECT_EQ(w.only<IssueJob>().events.last_sequence(), 1);
}

TEST(SchedulerAfter, CountsAnEventThatNeverWasAsPassed) {
  World w(chain());
  w.host(1, 64, 3);
  w.request(7, 9, block(1, 9, {9}));
  w.status(1, all_done(w.only<IssueJob>()));

  w.request(7, 9, block(1, 9, {9}));

  EXPECT_EQ(w.only<IssueJob>().lambda, 1u);
}

TEST(SchedulerAfter, GoesOnAfterARestartFromWhatIsStored) {
  World w(chain(), 2);
  w.host(1, 64, 3);

  w.request(7, 3, run_of(2, 3), chain_at(3, 3, 1, 1));

  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.lambda, 1u);
  EXPECT_EQ(job.events.first_sequence(), 2);
  EXPECT_EQ(job.events.last_sequence(), 3);
}

TEST(SchedulerAfter, IsStoppedByAParkedEventAndLeavesMemory) {
  World w(chain());
  w.host(1, 64, 3);
  w.request(7, 2, run_of(1, 2));
  const auto job = w.only<IssueJob>();
  w.saved(w.only<SaveCursor>());

  w.status(1, failed_at(job, 1, OutcomeKind::failed));
  EXPECT_EQ(w.count<PingAgain>(), 0u);
  while (w.count<SaveCursor>() > 0) w.saved(w.only<SaveCursor>());
  EXPECT_FALSE(w.scheduler.holds(7));

  storage::CursorInfo stored = chain_at(2, 0, 0, 0);
  stored.topologies[0].lambdas[0].parked = true;
  EXPECT_EQ(view_of(w, 1, &stored).state, SubjectState::waiting);
  EXPECT_EQ(view_of(w, 1, &stored).reason,
            "comes after topology 'first', which is parked with its cursor at 0");
  EXPECT_TRUE(view_of(w, 1, &stored).stopped);
  EXPECT_EQ(view_of(w, 2, &stored).reason,
            "comes after topology 'then', which is waiting with its cursor at 0");
  EXPECT_TRUE(view_of(w, 2, &stored).stopped);
}

TEST(SchedulerAfter, IsNotStoppedBeforeItHasReachedTheParkedTopology) {
  storage::CursorInfo stored = chain_at(9, 5, 3, 3);
  stored.topologies[0].lambdas[0].parked = true;
  World w(chain(), 2);

  EXPECT_EQ(view_of(w, 1, &stored).state, SubjectState::ready);
  EXPECT_FALSE(view_of(w, 1, &stored).stopped);
  EXPECT_EQ(view_of(w, 2, &stored).state, SubjectState::waiting);
  EXPECT_FALSE(view_of(w, 2, &stored).stopped);
}

TEST(SchedulerAfter, IsNotStoppedByATopologyThatBacksOff) {
  World w(chain());
  w.host(1, 64, 3);
  w.request(7, 2, run_of(1, 2));

  w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::retry));

  EXPECT_EQ(view_of(w, 1).reason, "comes after topology 'first', which is backing_off with its cursor at 0");
  EXPECT_FALSE(view_of(w, 1).stopped);
}

}  // namespace
}  // namespace cape::scheduler
