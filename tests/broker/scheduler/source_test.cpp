// Sources that lose events, or deny that they ever knew a subject.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

SchedulerPlan two_topologies() {
  SchedulerPlan plan;
  add_topology(plan, "audit");
  add_topology(plan, "mail");
  return plan;
}

// `audit` has processed all ten events, `mail` none; then the source has five.
World after_source_went_back() {
  World w(two_topologies());
  const storage::CursorInfo stored{
      .latest = 10,
      .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 10}}},
                     {.topology = "mail", .lambdas = {{.lambda = "run", .cursor = 0}}}}};
  w.request(1, 5, run_of(1, 5), stored);
  return w;
}

Command rewind_to(Sequence sequence, TopologyIndex topology, const storage::CursorInfo& stored) {
  return {.id = 1,
          .act = Act::rewind,
          .topology = topology,
          .subject = 1,
          .name = "s1",
          .stored = stored,
          .sequence = sequence,
          .reason = {}};
}

// It could neither be redriven nor rewound, since it stood at its start.
TEST(SchedulerSource, TopologyAtItsStartGoesOnByARewindAfterItsSourceWentBack) {
  World w = after_source_went_back();
  ASSERT_EQ(w.state(1, 1), SubjectState::parked);
  const auto parked = w.only<SaveCursor>();
  w.saved(parked);

  w.step({rewind_to(1, 1, parked.info)});
  ASSERT_EQ(all_of<CommandDone>(w.last).size(), 0u) << all_of<CommandDone>(w.last).front().refusal;
  const auto rewound = w.only<SaveCursor>();
  w.saved(rewound);

  EXPECT_EQ(w.only<CommandDone>().refusal, "");
  w.host(1, 64, 2);
  w.request(1, 5, run_of(1, 5), rewound.info);
  EXPECT_EQ(w.only<IssueJob>().lambda, 1u);
}

TEST(SchedulerSource, RewindThatWouldPassOverEventsIsRefusedAfterTheSourceWentBack) {
  World w = after_source_went_back();
  const auto parked = w.only<SaveCursor>();
  w.saved(parked);

  w.step({rewind_to(2, 1, parked.info)});

  EXPECT_EQ(w.only<CommandDone>().refusal,
            "its cursor is at 0: 2 has yet to run, so there is nothing to rewind");
}

// Events up to the stored latest may have run in the epoch before.
TEST(SchedulerSource, EventsMayRepeatAfterARestartThoughTheSourceToldOfFewerAtFirst) {
  World w(one_topology(), 2);
  w.host(1);
  w.request(1, 2, nothing(), stored_at(10, 2));
  ASSERT_TRUE(w.scheduler.holds(1));

  w.request(1, 10, run_of(3, 10));

  const auto job = w.only<IssueJob>();
  EXPECT_TRUE(job.may_repeat);
}

TEST(SchedulerSource, EventsMayRepeatAfterARestartThoughTheSourceDeniedTheirSubjectAtFirst) {
  World w(one_topology(), 2);
  w.host(1);
  w.step({Command{
      .id = 1, .act = Act::pause, .subject = 1, .name = "s1", .stored = stored_at(1, 1), .reason = {}}});
  w.step({Command{.id = 2, .act = Act::resume, .subject = 1, .name = "s1", .stored = {}, .reason = {}}});
  SchedulingRequest gone = World::make_request(1, 0, nothing());
  gone.gone = true;
  w.step({gone});
  ASSERT_TRUE(w.scheduler.holds(1));

  w.request(1, 9, run_of(2, 9));

  EXPECT_TRUE(w.only<IssueJob>().may_repeat);
}

// An event that cannot be read tells nothing of those behind it, which may have run in the epoch before.
TEST(SchedulerSource, EventsMayRepeatAfterARestartThoughTheFirstAnswerEndedAtAnUnreadableEvent) {
  SchedulerPlan plan = two_topologies();
  World w(plan, 2);
  w.host(1, 64, 2);
  const storage::CursorInfo stored{
      .latest = 3,
      .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 1}}},
                     {.topology = "mail", .lambdas = {{.lambda = "run", .cursor = 3}}}}};
  SchedulingRequest unreadable = World::make_request(1, 2, block(2, 1, {}), stored);
  unreadable.unreadable = "too large";
  w.step({unreadable});

  w.request(1, 9, run_of(4, 9));

  EXPECT_TRUE(w.only<IssueJob>().may_repeat);
}

}  // namespace
}  // namespace cape::scheduler
