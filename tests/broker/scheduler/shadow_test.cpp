// How a replay's shadow ends, whatever its subjects are at.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

SchedulerPlan one_shadow() {
  SchedulerPlan plan;
  add_topology(plan, "audit@replay").shadow = true;
  return plan;
}

storage::CursorInfo begins_at(Sequence latest, Sequence cursor) {
  storage::CursorInfo info = stored_at(latest, cursor);
  info.topologies[0].topology = "audit@replay";
  return info;
}

void save_all(World& w) {
  while (w.count<SaveCursor>() > 0) w.saved(w.only<SaveCursor>());
}

TEST(Shadow, EndsOnceItsJobsHaveAndNothingMoreOfItRuns) {
  World w(one_shadow());
  w.host(1);
  w.request(7, 6, run_of(3, 4), begins_at(6, 2));
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 3);

  w.step({EndShadow{0}});
  EXPECT_EQ(w.only<CancelJob>().job, job.job);
  EXPECT_EQ(w.scheduler.subjects_of(0), 1u);
  w.status(1, never_started(job, OutcomeKind::cancelled));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.step({EndShadow{0}});  // its timers are gone
  save_all(w);

  EXPECT_EQ(w.scheduler.subjects_of(0), 0u);
  EXPECT_EQ(w.scheduler.counters().timers, 0u);
}

TEST(Shadow, EndsWithoutWaitingForARetryOrForItsSource) {
  World w(one_shadow());
  w.host(1);
  w.request(7, 9, run_of(3, 4), begins_at(9, 2));
  w.status(1, failed_at(w.only<IssueJob>(), 3, OutcomeKind::retry));
  EXPECT_EQ(w.state(7), SubjectState::backing_off);
  w.saved(w.only<SaveCursor>());
  w.request(8, 9, nothing(), begins_at(9, 2));  // its events are asked for
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_EQ(w.scheduler.subjects_of(0), 2u);

  w.step({EndShadow{0}});
  save_all(w);

  EXPECT_EQ(w.scheduler.subjects_of(0), 0u);
}

TEST(Shadow, RunsAgainWhenItsPauseEnds) {
  World w(one_shadow());
  w.host(1);
  w.step({EndShadow{0}});
  w.request(7, 4, run_of(3, 4), begins_at(4, 2));
  EXPECT_EQ(w.count<IssueJob>(), 0u);

  w.step({PauseTopology{.topology = 0, .paused = false, .reason = {}}});
  w.request(7, 4, run_of(3, 4), begins_at(4, 2));

  EXPECT_EQ(w.only<IssueJob>().events.count, 2u);
}

TEST(Shadow, IsDoneWithASubjectThatItsSourceNoLongerHas) {
  World w(one_shadow());
  SchedulingRequest gone = World::make_request(7, 0, nothing(), begins_at(9, 2));
  gone.gone = true;

  w.step({gone});

  const auto save = w.only<SaveCursor>();
  EXPECT_FALSE(save.behind);
  EXPECT_EQ(save.info.latest, 2);
  w.saved(save);
  EXPECT_EQ(w.scheduler.subjects_of(0), 0u);
}

}  // namespace
}  // namespace cape::scheduler
