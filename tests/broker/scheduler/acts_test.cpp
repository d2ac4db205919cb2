// What operators do to a subject: pause, resume, park, redrive, skip, rewind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::HasSubstr;

// A world with a store for subject 7.
struct Desk : World {
  using World::World;
  std::optional<storage::CursorInfo> stored;

  void confirm(const SaveCursor& save) {
    stored = save.info;
    saved(save);
  }
  void save_all() {
    while (count<SaveCursor>() > 0) confirm(only<SaveCursor>());
  }
  Command command(Act act, Sequence sequence = 0) {
    return {.id = ++commands,
            .act = act,
            .topology = 0,
            .subject = 7,
            .domain = 0,
            .name = "s7",
            .stored = stored,
            .sequence = sequence,
            .reason = "because"};
  }
  void ask(Act act, Sequence sequence = 0) { step({command(act, sequence)}); }
  void read(Sequence latest, EventBlockPtr events) { request(7, latest, std::move(events), stored); }
  TopologyView view() const { return scheduler.view(7, 0, stored ? &*stored : nullptr).topologies[0]; }

  // Events 1..latest, all of them done and saved.
  void run_all(Sequence latest) {
    host(1);
    read(latest, run_of(1, latest));
    const auto first = only<SaveCursor>();
    status(1, all_done(only<IssueJob>()));
    confirm(first);
    save_all();
  }
  // Of events 1..3 one fails, and that is saved.
  void fail_at(Sequence sequence, OutcomeKind kind) {
    host(1);
    read(3, run_of(1, 3));
    const auto job = only<IssueJob>();
    const auto save = only<SaveCursor>();
    status(1, failed_at(job, sequence, kind));
    confirm(save);
    save_all();
  }
  std::uint64_t commands = 0;
};

TEST(SchedulerActs, AnActIsDoneOnceItIsOnDiskWithItsAudit) {
  Desk w;
  w.run_all(60);

  w.ask(Act::rewind, 10);

  const auto save = w.only<SaveCursor>();
  EXPECT_TRUE(save.sync);
  ASSERT_EQ(save.audit.size(), 1u);
  EXPECT_EQ(save.audit[0].act, "rewind");
  EXPECT_EQ(save.audit[0].topology, "audit");
  EXPECT_EQ(save.audit[0].from, 60);
  EXPECT_EQ(save.audit[0].to, 9);
  EXPECT_EQ(save.audit[0].reason, "because");
  EXPECT_EQ(save.info.topologies.at(0).lambdas.at(0).cursor, 9);
  EXPECT_EQ(w.count<CommandDone>(), 0u);
  w.confirm(save);
  EXPECT_EQ(w.only<CommandDone>().refusal, "");
  EXPECT_EQ(w.count<PingAgain>(), 1u) << "what lies behind the new cursor is read";
}

TEST(SchedulerActs, NothingRunsFromARewoundCursorBeforeItIsOnDisk) {
  Desk w;
  w.run_all(60);
  w.ask(Act::rewind, 10);
  const auto save = w.only<SaveCursor>();

  w.read(60, run_of(10, 60));
  EXPECT_EQ(w.count<IssueJob>(), 0u);

  w.step({CursorSaveFailed{save.subject, save.version}});
  w.read(60, run_of(10, 60));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.to_deadline();
  w.confirm(w.only<SaveCursor>());
  EXPECT_EQ(w.count<CommandDone>(), 1u);
  w.read(60, run_of(10, 60));
  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 10);
  EXPECT_TRUE(job.may_repeat);
}

TEST(SchedulerActs, AJobInFlightIsCancelledAndEndsBeforeTheActIsDone) {
  Desk w;
  w.host(1);
  w.read(9, run_of(1, 9));
  const auto job = w.only<IssueJob>();
  const auto save = w.only<SaveCursor>();

  w.ask(Act::rewind, 2);

  EXPECT_EQ(w.only<CancelJob>().job, job.job);
  EXPECT_EQ(w.count<SaveCursor>(), 0u);
  w.status(1, failed_at(job, 6, OutcomeKind::cancelled));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_EQ(w.cursor(7), 1) << "five were done, and it went back behind them";
  w.confirm(save);
  w.confirm(w.only<SaveCursor>());
  EXPECT_EQ(w.only<CommandDone>().from, 5);
}

TEST(SchedulerActs, ARewindGoesBackAloneAndLeavesOtherTopologiesWhereTheyAre) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "late").after = {0};
  Desk w(plan);
  w.host(1, 64, 2);
  w.read(5, run_of(1, 5));
  w.status(1, all_done(w.only<IssueJob>()));
  w.read(5, run_of(1, 5));
  w.status(1, all_done(w.only<IssueJob>()));
  ASSERT_EQ(w.cursor(7, 1), 5);

  w.ask(Act::rewind, 8);
  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("8 has yet to run"));
  EXPECT_EQ(w.cursor(7), 5);

  w.ask(Act::rewind, 3);
  EXPECT_EQ(w.cursor(7), 2);
  EXPECT_EQ(w.cursor(7, 1), 5);
}

TEST(SchedulerActs, APausedSubjectRunsNothingUntilItIsResumed) {
  Desk w;
  w.host(1);
  w.read(2, run_of(1, 2));
  const auto first = w.only<SaveCursor>();
  w.status(1, all_done(w.only<IssueJob>()));
  w.confirm(first);
  w.save_all();

  w.ask(Act::pause);
  const auto save = w.only<SaveCursor>();
  w.confirm(save);
  EXPECT_EQ(w.only<CommandDone>().refusal, "");
  EXPECT_TRUE(save.info.topologies.at(0).paused);
  w.read(9, run_of(3, 9));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  const auto behind = w.only<SaveCursor>();
  EXPECT_TRUE(behind.behind);
  EXPECT_TRUE(behind.info.topologies.at(0).paused);
  w.confirm(behind);
  EXPECT_FALSE(w.scheduler.holds(7)) << "it costs no memory";
  EXPECT_EQ(w.view().state, SubjectState::paused);
  EXPECT_TRUE(w.view().stopped);
  EXPECT_THAT(w.view().reason, HasSubstr("because"));

  w.ask(Act::resume);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.confirm(w.only<SaveCursor>());
  w.read(9, run_of(3, 9));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 3);
}

TEST(SchedulerActs, APauseLetsWhatIsInFlightFinish) {
  Desk w;
  w.host(1);
  w.read(4, run_of(1, 4));
  const auto job = w.only<IssueJob>();

  w.ask(Act::pause);
  EXPECT_EQ(w.count<CancelJob>(), 0u);
  w.status(1, all_done(job));

  EXPECT_EQ(w.cursor(7), 4);
}

TEST(SchedulerActs, APausedTopologyHoldsAllSubjectsAndItsResumeBringsThemBack) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "other");
  Desk w(plan);
  w.host(1, 1, 2);
  w.read(2, run_of(1, 2));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 2u);
  w.request(8, 2, run_of(1, 2));  // waits for credit in both

  w.step({PauseTopology{.topology = 0, .paused = true, .reason = "upgrade"}});
  w.status(1, all_done(jobs[0]));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_THAT(w.scheduler.view(8, 0, nullptr).topologies[0].reason, HasSubstr("upgrade"));
  w.status(1, all_done(jobs[1]));
  EXPECT_EQ(w.only<IssueJob>().lambda, 1u) << "the other topology goes on";

  w.step({PauseTopology{.topology = 0, .paused = false}});
  EXPECT_EQ(w.count<WalkBehind>(), 1u);
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.request(8, 2, run_of(1, 2));
  EXPECT_EQ(w.only<IssueJob>().lambda, 0u);
}

TEST(SchedulerActs, ARedriveTriesAParkedEventAgainWithItsAttemptsForgotten) {
  Desk w;
  w.fail_at(2, OutcomeKind::failed);
  ASSERT_FALSE(w.scheduler.holds(7));

  w.ask(Act::redrive);
  const auto save = w.only<SaveCursor>();
  EXPECT_FALSE(save.info.topologies.at(0).lambdas.at(0).parked);
  w.confirm(save);
  w.read(3, run_of(2, 3));

  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.events.first_sequence(), 2);
  EXPECT_EQ(job.attempt, 0u);
  EXPECT_TRUE(job.may_repeat);
}

TEST(SchedulerActs, ARedriveEndsABackoff) {
  Desk w;
  w.fail_at(2, OutcomeKind::retry);
  EXPECT_EQ(w.state(7), SubjectState::backing_off);

  w.ask(Act::redrive);
  w.confirm(w.only<SaveCursor>());

  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.read(3, run_of(2, 3));
  EXPECT_EQ(w.count<IssueJob>(), 1u);
}

TEST(SchedulerActs, ASkipPassesOverTheFailedEventAlone) {
  Desk w;
  w.fail_at(2, OutcomeKind::retry);

  w.ask(Act::skip, 3);
  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("event 3 is not the one"));
  w.ask(Act::skip, 2);

  const auto save = w.only<SaveCursor>();
  EXPECT_EQ(save.audit.at(0).from, 1);
  EXPECT_EQ(save.audit.at(0).to, 2);
  w.confirm(save);
  w.read(3, run_of(3, 3));
  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 3);
}

TEST(SchedulerActs, AParkStopsASubjectAndARedriveEndsIt) {
  Desk w;
  w.run_all(3);

  w.ask(Act::park);
  w.save_all();
  w.read(5, run_of(4, 5));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_THAT(w.view().reason, HasSubstr("parked by an operator: because"));
  w.save_all();
  w.ask(Act::redrive);
  w.save_all();
  EXPECT_EQ(w.count<CommandDone>(), 1u);
  w.read(5, run_of(4, 5));

  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 4);
}

TEST(SchedulerActs, ARewindEndsWhatASourceThatWentBackStopped) {
  Desk w;
  w.run_all(60);
  w.read(20, nothing());
  ASSERT_EQ(w.view().state, SubjectState::parked);
  w.save_all();

  w.ask(Act::redrive);
  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("rewind"));
  w.ask(Act::rewind, 21);

  const auto save = w.only<SaveCursor>();
  EXPECT_EQ(save.info.latest, 20);
  w.confirm(save);
  EXPECT_EQ(w.count<PingAgain>(), 0u) << "it is where its source is";
  w.read(22, run_of(21, 22));

  EXPECT_EQ(w.only<IssueJob>().events.first_sequence(), 21);
}

TEST(SchedulerActs, ActsOfAPipelinedTopologyWaitForAllItsJobs) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].mode = Mode::pipelined;
  plan.topologies[0].batch_events = 2;
  Desk w(plan);
  w.host(1);
  w.read(6, run_of(1, 6));
  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 3u);

  w.ask(Act::rewind, 2);
  EXPECT_EQ(w.count<CancelJob>(), 3u);
  w.status(1, failed_at(jobs[0], 1, OutcomeKind::cancelled));
  w.status(1, all_done(jobs[2]));
  EXPECT_EQ(w.count<CommandDone>(), 0u);
  w.status(1, failed_at(jobs[1], 4, OutcomeKind::cancelled));

  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("cursor is at 0"));
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.read(6, run_of(1, 6));
  EXPECT_EQ(all_of<IssueJob>(w.last).at(0).events.first_sequence(), 1);
}

TEST(SchedulerActs, WhatComesAfterGoesByASkipOnceItIsOnDisk) {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "late").after = {0};
  Desk w(plan);
  w.host(1, 64, 2);
  w.fail_at(1, OutcomeKind::failed);

  w.ask(Act::skip);
  const auto save = w.only<SaveCursor>();
  w.read(3, run_of(1, 3));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.confirm(save);
  w.read(3, run_of(1, 3));

  const auto jobs = all_of<IssueJob>(w.last);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].events.first_sequence(), 2);
  EXPECT_EQ(jobs[1].lambda, 1u);
  EXPECT_EQ(jobs[1].events.last_sequence(), 1);
}

// The store keeps one cursor a lane: what stands between it and the failed event has yet to run.
TEST(SchedulerActs, ASkipPassesOverNothingThatHasYetToRun) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].mode = Mode::pipelined;
  Desk w(plan);
  w.host(1);
  w.stored = storage::CursorInfo{
      .latest = 9,
      .topologies = {
          {.topology = "audit",
           .lambdas = {
               {.lambda = "run", .cursor = 2, .attempts = 1, .failed_sequence = 6, .parked = true}}}}};

  w.ask(Act::skip);
  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("have yet to run"));
  w.read(9, run_of(3, 9));
  w.status(1, all_done(w.only<IssueJob>()));
  EXPECT_EQ(w.cursor(7), 5);
  w.ask(Act::skip, 6);

  EXPECT_EQ(w.cursor(7), 6);
}

TEST(SchedulerActs, APreviewSaysWhatWouldHappenAndChangesNothing) {
  Desk w;
  w.run_all(60);

  const Preview preview = w.scheduler.preview(w.command(Act::rewind, 10));

  EXPECT_EQ(preview.refusal, "");
  EXPECT_EQ(preview.from, 60);
  EXPECT_EQ(preview.to, 9);
  EXPECT_FALSE(w.scheduler.holds(7));
}

TEST(SchedulerActs, ASubjectTakesABoundedNumberOfThem) {
  Desk w;
  w.host(1);
  w.read(4, run_of(1, 4));
  for (std::size_t i = 0; i < acts_per_subject_max; ++i) w.ask(Act::park);

  w.ask(Act::park);

  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("try again"));
}

}  // namespace
}  // namespace cape::scheduler
