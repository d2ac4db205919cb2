// Events that appear below a bound which their source had given: told once, and run on their own where that
// is asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SchedulerPlan plan_with(Late late, Mode mode = Mode::strict) {
  SchedulerPlan plan;
  TopologySpec& audit = add_topology(plan, "audit");
  audit.late = late;
  audit.mode = mode;
  audit.batch_events = 2;
  return plan;
}

// A world with a store for subject 7, which lives through restarts.
struct Late7 : World {
  using World::World;
  std::optional<storage::CursorInfo> stored;

  void confirm_all() {
    while (count<SaveCursor>() > 0) {
      const auto save = only<SaveCursor>();
      stored = save.info;
      saved(save);
    }
  }
  void read(Sequence latest, EventBlockPtr events) { request(7, latest, std::move(events), stored); }
  // Runs and saves whatever is issued, and gives the sequences in that order; with a + those that are late.
  std::vector<std::string> run_all() {
    std::vector<std::string> ran;
    for (std::vector<IssueJob> jobs = all_of<IssueJob>(last); !jobs.empty(); jobs = all_of<IssueJob>(last)) {
      const auto saves = all_of<SaveCursor>(last);
      for (std::uint32_t i = 0; i < jobs[0].events.count; ++i)
        ran.push_back(fmt::format("{}{}", jobs[0].late ? "+" : "", jobs[0].events[i].sequence));
      std::vector<Input> inputs{Status{1, all_done(jobs[0])}};
      for (const SaveCursor& save : saves) {
        stored = save.info;
        inputs.push_back(CursorSaved{save.subject, save.version});
      }
      step(std::move(inputs));
    }
    confirm_all();
    return ran;
  }
  // The job of the last step, of which the save is confirmed.
  IssueJob job() {
    const auto issued = only<IssueJob>();
    confirm_all();
    return issued;
  }
  TopologyView view(TopologyIndex topology = 0) const {
    return scheduler.view(7, 0, stored ? &*stored : nullptr).topologies[topology];
  }
  // 2 and 4 of 1..4 are there, and done.
  void run_even() {
    host(1);
    read(4, block(1, 4, {2, 4}));
    run_all();
  }
  std::vector<Sequence> told(std::size_t topology = 0) const {
    std::vector<Sequence> sequences;
    if (!stored) return sequences;
    for (const storage::LateEvent& event : stored->topologies[topology].lambdas[0].late.events)
      sequences.push_back(event.sequence);
    return sequences;
  }
  Why why(TopologyIndex topology = 0) const {
    return scheduler.why(7, 0, stored ? &*stored : nullptr)[topology];
  }
  Command skip(Sequence sequence) {
    return {.id = 1,
            .act = Act::skip,
            .subject = 7,
            .name = "s7",
            .stored = stored,
            .sequence = sequence,
            .reason = {}};
  }
};

std::vector<Sequence> notices_of_late(const Actions& actions) {
  std::vector<Sequence> sequences;
  for (const Notice& notice : notices(actions, Notice::Kind::late)) sequences.push_back(notice.sequence);
  return sequences;
}

TEST(SchedulerLate, TellsOnceOfAnEventThatAppearedBehindTheCursor) {
  Late7 w(plan_with(Late::report));
  w.run_even();

  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), ElementsAre(3));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  EXPECT_TRUE(w.only<SaveCursor>().behind) << "so that it is found again";
  w.confirm_all();
  EXPECT_THAT(w.told(), ElementsAre(3));
  EXPECT_EQ(w.scheduler.counters().late, 1u);
  EXPECT_FALSE(w.scheduler.holds(7)) << "nothing of it waits";

  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), IsEmpty());
  EXPECT_EQ(w.view().cursor, 4);
}

TEST(SchedulerLate, IsACauseAndNoStop) {
  Late7 w(plan_with(Late::report));
  w.run_even();
  w.read(4, block(1, 4, {2, 3, 4}));
  w.confirm_all();

  const Why why = w.why();
  EXPECT_EQ(why.cause, Cause::late);
  EXPECT_EQ(why.sequence, 3);
  EXPECT_THAT(why.detail, HasSubstr("1 event appeared below"));
  w.read(6, run_of(5, 6));
  EXPECT_THAT(w.run_all(), ElementsAre("5", "6"));
}

TEST(SchedulerLate, DoesNotTellOfWhatHasYetToRunNorOfWhatLiesBelowTheStart) {
  SchedulerPlan plan = plan_with(Late::report);
  plan.topologies[0].start = 3;
  Late7 w(plan);
  w.host(1);
  w.read(8, block(3, 8, {4, 8}));
  w.run_all();
  w.read(12, block(1, 12, {2, 4, 8, 11, 12}));  // 2 is below the start, 11 above the cursor

  EXPECT_THAT(notices_of_late(w.last), IsEmpty());
  EXPECT_THAT(w.run_all(), ElementsAre("11", "12"));
}

TEST(SchedulerLate, IsNoneWhereItComesBeforeWhatWaits) {
  Late7 w(plan_with(Late::report));  // no host: 2 and 4 wait
  w.read(4, block(1, 4, {2, 4}));

  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), IsEmpty());
  w.host(1);
  EXPECT_THAT(w.run_all(), ElementsAre("2", "3", "4"));
}

TEST(SchedulerLate, ThatAJobHasPassedIsToldAndForgottenIfItFailsAndComesByAgain) {
  Late7 w(plan_with(Late::report));
  w.host(1);
  w.read(4, block(1, 4, {2, 4}));
  const auto job = w.only<IssueJob>();

  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), ElementsAre(3));
  w.status(1, failed_at(job, 2, OutcomeKind::retry));
  ASSERT_TRUE(w.to_deadline());
  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(w.run_all(), ElementsAre("2", "3", "4"));
  EXPECT_THAT(w.told(), IsEmpty()) << "it has run in its turn";
}

TEST(SchedulerLate, ThatAJobHasPassedRunsOnItsOwnWhenTheJobIsDone) {
  for (const bool fails : {false, true}) {
    Late7 w(plan_with(Late::run));
    w.host(1);
    w.read(4, block(1, 4, {2, 4}));
    const auto job = w.only<IssueJob>();
    w.read(4, block(1, 4, {2, 3, 4}));
    EXPECT_EQ(w.count<IssueJob>(), 0u);

    w.status(1, fails ? failed_at(job, 2, OutcomeKind::retry) : all_done(job));
    if (fails) {
      ASSERT_TRUE(w.to_deadline());
      EXPECT_EQ(w.count<IssueJob>(), 0u) << "2 has not run";
    }
    w.read(4, block(1, 4, {2, 3, 4}));
    EXPECT_EQ(w.run_all(),
              fails ? (std::vector<std::string>{"2", "3", "4"}) : std::vector<std::string>{"+3"});
  }
}

TEST(SchedulerLate, RunsOnItsOwnOnceWhereThatIsAskedFor) {
  for (const Mode mode : {Mode::strict, Mode::pipelined}) {
    Late7 w(plan_with(Late::run, mode));
    w.run_even();

    w.read(4, block(1, 4, {1, 2, 3, 4}));
    EXPECT_THAT(notices_of_late(w.last), ElementsAre(1, 3));
    const auto job = w.only<IssueJob>();
    EXPECT_TRUE(job.late);
    EXPECT_FALSE(job.may_repeat);
    EXPECT_THAT(w.run_all(), ElementsAre("+1"));
    EXPECT_EQ(w.count<PingAgain>(), 0u) << "it was asked for already";
    w.read(4, block(3, 4, {3, 4}));
    EXPECT_THAT(w.run_all(), ElementsAre("+3"));
    EXPECT_EQ(w.view().cursor, 4);
    EXPECT_THAT(w.told(), IsEmpty());
    EXPECT_FALSE(w.scheduler.holds(7));
    w.read(4, run_of(1, 4));
    EXPECT_THAT(w.run_all(), IsEmpty());
  }
}

TEST(SchedulerLate, NeverRunsBesideAnotherJobOfAStrictLambda) {
  Late7 w(plan_with(Late::run));
  w.run_even();
  w.read(8, run_of(5, 8));
  const auto job = w.only<IssueJob>();

  w.read(8, block(1, 8, {2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  w.status(1, all_done(job));
  const auto late = w.only<IssueJob>();
  EXPECT_TRUE(late.late);
  EXPECT_EQ(late.events.first_sequence(), 3);
  EXPECT_THAT(w.run_all(), ElementsAre("+3", "7", "8"));
}

TEST(SchedulerLate, RunsAgainAfterACrashUntilThatIsStored) {
  Late7 w(plan_with(Late::run));
  w.run_even();
  w.read(4, block(1, 4, {2, 3, 4}));
  const auto save = w.only<SaveCursor>();
  w.status(1, all_done(w.only<IssueJob>()));  // it ran, and that is never saved

  Late7 next(plan_with(Late::run), 2);
  next.stored = save.info;
  next.host(1);
  next.read(4, block(5, 4, {}));
  EXPECT_EQ(next.count<PingAgain>(), 1u);
  const auto positions = next.scheduler.positions(7, 0, nullptr);
  EXPECT_TRUE(positions[1].can_run);
  EXPECT_EQ(positions[1].position, 2) << "it is read for";
  next.read(4, block(3, 4, {3, 4}));
  EXPECT_TRUE(next.only<IssueJob>().may_repeat);
  EXPECT_THAT(next.run_all(), ElementsAre("+3"));
  EXPECT_THAT(next.told(), IsEmpty());
}

TEST(SchedulerLate, FailuresFollowThePolicyAndStopNothingElse) {
  SchedulerPlan plan = plan_with(Late::run);
  plan.topologies[0].retry.park_after = 2;
  Late7 w(plan);
  w.run_even();
  w.read(4, block(1, 4, {2, 3, 4}));
  w.status(1, failed_at(w.job(), 3, OutcomeKind::retry, "not yet"));
  EXPECT_EQ(notices(w.last, Notice::Kind::attempt_failed).size(), 1u);
  w.confirm_all();
  EXPECT_EQ(w.view().cursor, 4);
  w.read(6, run_of(5, 6));
  EXPECT_THAT(w.run_all(), ElementsAre("5", "6")) << "others go on meanwhile";

  ASSERT_TRUE(w.to_deadline());
  w.read(6, block(3, 6, {3, 4, 5, 6}));
  const auto again = w.job();
  EXPECT_TRUE(again.late);
  EXPECT_EQ(again.attempt, 1u);
  w.status(1, failed_at(again, 3, OutcomeKind::retry, "not yet"));
  EXPECT_EQ(notices(w.last, Notice::Kind::parked).size(), 1u);
  w.confirm_all();
  EXPECT_EQ(w.view().state, SubjectState::done) << "its line is not parked";
  const storage::LateEvent event = w.stored->topologies[0].lambdas[0].late.events.at(0);
  EXPECT_TRUE(event.parked);
  EXPECT_EQ(event.attempts, 2u);
  EXPECT_THAT(event.reason, HasSubstr("not yet"));
  EXPECT_THAT(w.why().detail, HasSubstr("it failed: RETRY: not yet"));

  Command redrive = w.skip(0);
  redrive.act = Act::redrive;
  w.step({redrive});
  w.confirm_all();
  w.read(6, block(3, 6, {3, 4, 5, 6}));
  EXPECT_THAT(w.run_all(), ElementsAre("+3"));
}

TEST(SchedulerLate, IsSkippedByItsSequenceAndByARewind) {
  Late7 w(plan_with(Late::report));
  w.run_even();
  w.read(4, block(1, 4, {1, 2, 3, 4}));
  w.confirm_all();

  w.step({w.skip(0)});
  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("say which one, with --sequence"));
  w.step({w.skip(1)});
  EXPECT_TRUE(w.only<SaveCursor>().sync);
  EXPECT_EQ(w.only<SaveCursor>().audit.at(0).to, 1);
  w.confirm_all();
  EXPECT_THAT(w.told(), ElementsAre(3));

  Command rewind = w.skip(2);
  rewind.act = Act::rewind;
  w.step({rewind});
  w.confirm_all();
  EXPECT_THAT(w.told(), IsEmpty());
  w.read(4, block(1, 4, {1, 2, 3, 4}));
  EXPECT_THAT(w.run_all(), ElementsAre("2", "3", "4"));
}

TEST(SchedulerLate, IsToldOfWhatASkipPassesBy) {
  Late7 w(plan_with(Late::report));
  w.host(1);
  w.read(4, block(1, 4, {2, 4}));
  w.status(1, failed_at(w.job(), 4, OutcomeKind::bad_input));
  w.confirm_all();
  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), IsEmpty()) << "it would run first if 4 were tried again";
  w.confirm_all();

  w.step({w.skip(4)});
  EXPECT_THAT(notices_of_late(w.last), ElementsAre(3));
  w.confirm_all();
  EXPECT_THAT(w.told(), ElementsAre(3));
}

TEST(SchedulerLate, ComesAfterTheTopologiesThatRunItFirst) {
  SchedulerPlan plan = plan_with(Late::run);
  TopologySpec& index = add_topology(plan, "index");
  index.after = {0};
  index.late = Late::run;
  Late7 w(plan);
  w.host(1, 64, 2);
  w.read(4, block(1, 4, {2, 4}));
  w.run_all();
  w.read(4, block(1, 4, {2, 4}));
  w.run_all();
  ASSERT_EQ(w.view(1).cursor, 4);

  w.read(4, block(1, 4, {2, 3, 4}));
  const auto first = w.only<IssueJob>();
  EXPECT_EQ(first.lambda, 0u);
  w.status(1, all_done(first));
  EXPECT_EQ(w.count<PingAgain>(), 1u);
  w.read(4, block(3, 4, {3, 4}));
  EXPECT_EQ(w.only<IssueJob>().lambda, 1u);
  EXPECT_TRUE(w.only<IssueJob>().late);
}

TEST(SchedulerLate, IsNoneInModeLatest) {
  Late7 w(plan_with(Late::report, Mode::latest));
  w.run_even();
  w.read(4, block(1, 4, {2, 3, 4}));
  EXPECT_THAT(notices_of_late(w.last), IsEmpty());
}

TEST(SchedulerLate, BeyondTheFirst64IsCounted) {
  Late7 w(plan_with(Late::report));
  w.host(1);
  Sequence last = 0;
  for (int round = 0; round < 3; ++round, last += 100) {
    w.read(last + 100, block(last + 1, last + 100, {last + 100}));
    w.run_all();
    w.read(last + 100, run_of(last + 61, last + 100));
    w.confirm_all();
  }

  const storage::LateEvents& late = w.stored->topologies[0].lambdas[0].late;
  EXPECT_EQ(late.events.size(), storage::late_events_max);
  EXPECT_EQ(late.count(), 3u * 39);
  EXPECT_EQ(late.more_from, 186);

  w.step({w.skip(186)});
  w.confirm_all();
  EXPECT_EQ(w.stored->topologies[0].lambdas[0].late.more, 0u);
}

TEST(SchedulerLate, IsForgottenWithTheWindowWhenTheSourceWentBack) {
  Late7 w(plan_with(Late::report));
  w.run_even();

  w.read(2, block(1, 2, {1, 2}));

  EXPECT_THAT(notices_of_late(w.last), IsEmpty());
  EXPECT_EQ(w.view().state, SubjectState::parked);
  w.confirm_all();
  EXPECT_TRUE(w.stored->given.empty());
}

TEST(SchedulerLate, ThatCannotBeReadIsParkedByItself) {
  Late7 w(plan_with(Late::run));
  w.run_even();
  w.read(4, block(1, 4, {2, 3, 4}));
  w.status(1, failed_at(w.job(), 3, OutcomeKind::retry));
  w.confirm_all();
  ASSERT_TRUE(w.to_deadline());

  SchedulingRequest request = World::make_request(7, 3, block(3, 2, {}));
  request.unreadable = "its payload is too large";
  w.step({request});
  w.confirm_all();

  EXPECT_TRUE(w.stored->topologies[0].lambdas[0].late.events.at(0).parked);
  EXPECT_EQ(w.view().state, SubjectState::done);
}

}  // namespace
}  // namespace cape::scheduler
