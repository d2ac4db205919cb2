// Why a subject is where it is: each cause the scheduler knows, as it comes about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::HasSubstr;

Why why(const World& w, std::size_t topology = 0, const storage::CursorInfo* stored = nullptr) {
  return w.scheduler.why(7, 0, stored).at(topology);
}

Command command(Act act, Sequence sequence = 0) {
  return {.id = 1,
          .act = act,
          .topology = 0,
          .subject = 7,
          .domain = 0,
          .name = "s7",
          .stored = {},
          .sequence = sequence,
          .reason = "r"};
}

TEST(SchedulerWhy, UpToDateNotReadAndBeingRead) {
  World w;
  EXPECT_EQ(why(w).cause, Cause::up_to_date) << "nothing is known of it";
  const storage::CursorInfo behind{
      .latest = 5, .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 2}}}}};
  EXPECT_EQ(why(w, 0, &behind).cause, Cause::not_read);
  EXPECT_EQ(why(w, 0, &behind).cursor, 2);

  w.host(1);
  w.request(7, 5, nothing(), behind);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  EXPECT_EQ(why(w).cause, Cause::being_read);
}

TEST(SchedulerWhy, NoHostQueuedForCreditAndInFlight) {
  World w;
  w.request(7, 2, run_of(1, 2));
  EXPECT_EQ(why(w).cause, Cause::no_host);

  w.step({HostUp{.host = 1, .name = "h"},
          Credit{.host = 1, .lambda = 0, .jobs_max = 0, .hash = "", .trouble = "gone"}});
  EXPECT_THAT(why(w).detail, HasSubstr("gone"));

  w.host(2, 1);
  const auto job = w.only<IssueJob>();
  w.advance(second);
  const Why in_flight = why(w);
  EXPECT_EQ(in_flight.cause, Cause::in_flight);
  EXPECT_EQ(in_flight.job, job.job);
  EXPECT_EQ(in_flight.host, 2u);
  EXPECT_EQ(in_flight.sequence, 1);
  EXPECT_EQ(in_flight.since_ns, w.now.boot_ns - second);

  w.step({World::make_request(8, 2, run_of(1, 2))});
  EXPECT_EQ(w.scheduler.why(8, 0, nullptr).at(0).cause, Cause::queued_for_credit);
}

TEST(SchedulerWhy, BackingOffAndParked) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  w.status(1, failed_at(w.only<IssueJob>(), 2, OutcomeKind::retry, "later"));
  const Why waits = why(w);
  EXPECT_EQ(waits.cause, Cause::backing_off);
  EXPECT_EQ(waits.sequence, 2);
  EXPECT_EQ(waits.attempt, 1u);
  EXPECT_THAT(waits.detail, HasSubstr("later"));
  EXPECT_EQ(waits.until_ns, w.scheduler.next_deadline().value_or(0));

  w.to_deadline();
  w.request(7, 3, run_of(2, 3));
  w.status(1, failed_at(w.only<IssueJob>(), 2, OutcomeKind::failed, "never"));
  const Why parked = why(w);
  EXPECT_EQ(parked.cause, Cause::parked);
  EXPECT_EQ(parked.sequence, 2);
  EXPECT_THAT(parked.detail, HasSubstr("never"));
}

// A backoff that the store remembers ends when it would have, whoever held the subject meanwhile.
TEST(SchedulerWhy, BackingOffOfASubjectThatIsNotHeld) {
  World w;
  w.step({Tick{}});
  const storage::CursorInfo stored{
      .latest = 5,
      .topologies = {{.topology = "audit",
                      .lambdas = {{.lambda = "run",
                                   .cursor = 2,
                                   .attempts = 4,
                                   .failed_sequence = 3,
                                   .next_try_wall_ns = w.now.wall_ns + 3 * second,
                                   .reason = "RETRY"}}}}};

  const Why waits = why(w, 0, &stored);

  EXPECT_EQ(waits.cause, Cause::backing_off);
  EXPECT_EQ(waits.until_ns, w.now.boot_ns + 3 * second);
  EXPECT_EQ(waits.attempt, 4u);
}

TEST(SchedulerWhy, SourceWentBackAndSourceFailed) {
  World w;
  w.host(1);
  const storage::CursorInfo stored{
      .latest = 60, .topologies = {{.topology = "audit", .lambdas = {{.lambda = "run", .cursor = 60}}}}};
  w.request(7, 20, nothing(), stored);
  EXPECT_EQ(why(w).cause, Cause::source_went_back);

  World other;
  other.host(1);
  for (int i = 0; i < 20 && why(other).cause != Cause::source_failed; ++i) other.request(7, 5, nothing());
  EXPECT_EQ(why(other).cause, Cause::source_failed);
  EXPECT_THAT(why(other).detail, HasSubstr("up to 5"));
}

TEST(SchedulerWhy, WaitingAfterAndPaused) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "late").after = {0};
  World w(plan);
  w.host(1, 64, 2);
  w.request(7, 2, run_of(1, 2));
  EXPECT_EQ(why(w, 1).cause, Cause::waiting_after);
  EXPECT_THAT(why(w, 1).detail, HasSubstr("'audit'"));

  w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::cancelled));
  w.step({PauseTopology{.topology = 0, .paused = true, .reason = "upgrade"}});
  for (const auto& job : all_of<IssueJob>(w.last)) w.status(1, failed_at(job, 1, OutcomeKind::cancelled));
  EXPECT_EQ(why(w).cause, Cause::paused);
  EXPECT_THAT(why(w).detail, HasSubstr("upgrade"));
}

TEST(SchedulerWhy, ActWaitsForJobsAndThenForTheStore) {
  World w;
  w.host(1);
  w.request(7, 2, run_of(1, 2));
  const auto save = w.only<SaveCursor>();
  const auto job = w.only<IssueJob>();
  w.step({command(Act::rewind, 1)});
  EXPECT_EQ(why(w).cause, Cause::act_waits);
  EXPECT_THAT(why(w).detail, HasSubstr("jobs"));

  w.status(1, all_done(job));
  EXPECT_EQ(why(w).cause, Cause::act_waits);
  EXPECT_THAT(why(w).detail, HasSubstr("stored"));
  w.saved(save);
  w.saved(w.only<SaveCursor>());
  EXPECT_EQ(why(w).cause, Cause::being_read);
}

}  // namespace
}  // namespace cape::scheduler
