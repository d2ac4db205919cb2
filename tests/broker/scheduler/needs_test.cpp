// `needs`: a lambda starts an event when those it needs are through with it, and gets what they gave for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/dag.hpp"

namespace cape::scheduler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SchedulerPlan pair() {
  return dag_plan({{"up", {}}, {"down", {0}}});
}

SchedulerPlan fork_and_join() {
  return dag_plan({{"up", {}}, {"left", {0}}, {"right", {0}}, {"join", {1, 2}}});
}

std::vector<std::string> inputs_of(const IssueJob& job, std::size_t input = 0) {
  return texts(job.inputs.at(input).outputs);
}

TEST(SchedulerNeeds, DependantStartsWhenTheOtherIsThroughAndGetsWhatItGave) {
  Dag w(pair());
  w.begin();
  w.read(7, 3);
  EXPECT_EQ(w.find("down"), nullptr);

  w.done("up");

  const IssueJob job = w.done("down");
  EXPECT_EQ(job.events.first_sequence(), 1);
  EXPECT_EQ(job.events.last_sequence(), 3);
  ASSERT_EQ(job.inputs.size(), 1u);
  EXPECT_EQ(job.inputs[0].lambda, "up");
  EXPECT_THAT(inputs_of(job), ElementsAre("up1", "up2", "up3"));
  EXPECT_EQ(job.outputs_bytes_max, 0u) << "nobody needs what it gives";
  EXPECT_EQ(w.view().cursor, 3);
  EXPECT_EQ(w.scheduler.counters().outputs_bytes, 0u);
}

TEST(SchedulerNeeds, EventForWhichNothingWasGivenComesWithAnInputOfNoBytes) {
  Dag w(pair());
  w.begin();
  w.read(7, 2);
  wire::JobStatus status = all_done(w.take("up"));
  status.outputs = {nullptr, output("two")};

  w.go({Status{1, status}});

  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("-", "two"));

  w.read(7, 3);
  w.go({Status{1, all_done(w.take("up"))}});  // as a lambda that gives nothing at all

  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("-"));
}

TEST(SchedulerNeeds, ForkRunsBothAndJoinWaitsForBoth) {
  Dag w(fork_and_join());
  w.begin();
  w.read(7, 2);
  w.done("up");
  ASSERT_NE(w.find("left"), nullptr);
  ASSERT_NE(w.find("right"), nullptr);

  w.done("left");
  EXPECT_EQ(w.find("join"), nullptr);
  EXPECT_EQ(w.view().cursor, 0) << "the lowest of all";
  w.done("right");

  const IssueJob job = w.done("join");
  EXPECT_EQ(job.inputs.at(0).lambda, "left");
  EXPECT_EQ(job.inputs.at(1).lambda, "right");
  EXPECT_THAT(inputs_of(job, 0), ElementsAre("left1", "left2"));
  EXPECT_THAT(inputs_of(job, 1), ElementsAre("right1", "right2"));
  EXPECT_EQ(w.view().state, SubjectState::done);
}

TEST(SchedulerNeeds, JobOfALambdaThatNobodyNeedsAsksForNoOutputs) {
  World w;
  w.host(1);
  w.request(7, 1, run_of(1, 1));

  const auto job = w.only<IssueJob>();
  EXPECT_EQ(job.outputs_bytes_max, 0u);
  EXPECT_TRUE(job.inputs.empty());
}

TEST(SchedulerNeeds, NewBrokerRunsTheOtherAgainFromWhereTheDependantStandsAndItsStoredCursorStays) {
  Dag before(pair());
  before.begin();
  before.read(7, 3);
  before.done("up");
  before.done("down");
  before.read(7, 6);
  before.done("up");
  EXPECT_EQ(before.stored_cursor(0), 6);
  EXPECT_EQ(before.stored_cursor(1), 3);

  Dag w(pair(), 2);
  w.store = before.store;
  const auto positions = w.scheduler.positions(7, 0, w.stored(7));
  EXPECT_EQ(positions.at(0).position, 3);
  EXPECT_FALSE(positions.at(1).can_run);
  w.begin();
  w.read(7, 6);

  const IssueJob again = w.done("up");
  EXPECT_EQ(again.events.first_sequence(), 4);
  EXPECT_TRUE(again.may_repeat);
  EXPECT_EQ(w.stored_cursor(0), 6);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up4", "up5", "up6"));
  EXPECT_EQ(w.stored_cursor(1), 6);
}

TEST(SchedulerNeeds, WhyNamesTheLambdaThatRunsAgain) {
  Dag w(pair(), 2);
  w.store[7] = {
      .latest = 6,
      .topologies = {
          {.topology = "dag", .lambdas = {{.lambda = "up", .cursor = 6}, {.lambda = "down", .cursor = 3}}}}};

  const Why why = w.why();

  EXPECT_EQ(why.cause, Cause::waiting_input);
  EXPECT_EQ(why.lambda, 1u);
  EXPECT_THAT(why.detail, HasSubstr("'up'"));
  EXPECT_THAT(why.detail, HasSubstr("runs again"));
  EXPECT_EQ(w.view().state, SubjectState::waiting);
  EXPECT_THAT(w.view().reason, HasSubstr("'up'"));

  w.read(7, 6);
  EXPECT_EQ(w.why().cause, Cause::no_host) << "what a person can change comes first";
}

TEST(SchedulerNeeds, ParkedDependantHoldsNobodyUpAndGetsItsInputsWhenItGoesOn) {
  Dag w(dag_plan({{"up", {}}, {"down", {0}}, {"other", {0}}}));
  w.begin();
  w.read(7, 2);
  w.done("up");
  w.fails("down", 2, OutcomeKind::failed);
  w.done("other");
  w.read(7, 4);
  w.done("up");
  EXPECT_THAT(inputs_of(w.done("other")), ElementsAre("up3", "up4"));
  EXPECT_EQ(w.scheduler.counters().outputs_bytes, 0u) << "nobody needs them that may run";
  EXPECT_EQ(w.why().cause, Cause::parked);

  w.ask(Act::redrive);

  const IssueJob again = w.done("up");
  EXPECT_EQ(again.events.first_sequence(), 2);
  EXPECT_TRUE(again.may_repeat);
  EXPECT_EQ(w.find("other"), nullptr) << "it has them all";
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up2", "up3", "up4"));
  EXPECT_EQ(w.view().state, SubjectState::done);
}

TEST(SchedulerNeeds, SkippedEventGivesNothingAndIsNotRunAgainForADependantThatCameLater) {
  Dag w(pair());
  w.begin();
  w.read(7, 3);
  w.fails("up", 2, OutcomeKind::failed);
  w.fails("down", 1, OutcomeKind::retry);  // of event 1, so that it stays behind

  w.ask(Act::skip, 1);  // of the topology the lowest: what `down` failed with
  EXPECT_EQ(w.acts.back().refusal, "");
  w.ask(Act::skip, 2);
  EXPECT_EQ(w.acts.back().refusal, "");
  EXPECT_EQ(w.done("up").events.first_sequence(), 3);

  EXPECT_THAT(inputs_of(w.take("down")), ElementsAre("-"));

  Dag anew(pair(), 2);
  anew.store = w.store;
  ASSERT_EQ(anew.stored_cursor(1), 1);
  anew.begin();
  anew.read(7, 3);
  EXPECT_EQ(anew.done("up").events.first_sequence(), 3) << "2 was skipped for good";
  EXPECT_THAT(inputs_of(anew.done("down")), ElementsAre("-"));
  EXPECT_THAT(inputs_of(anew.done("down")), ElementsAre("up3"));
}

TEST(SchedulerNeeds, RewindRunsAllOfThemAgain) {
  Dag w(pair());
  w.begin();
  w.read(7, 3);
  w.done("up");
  w.done("down");

  w.ask(Act::rewind, 2);

  EXPECT_EQ(w.acts.back().refusal, "");
  EXPECT_EQ(w.stored_cursor(0), 1);
  EXPECT_EQ(w.done("up").events.first_sequence(), 2);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up2", "up3"));
}

TEST(SchedulerNeeds, EventThatAppearsWhereTheOtherHasPassedIsRunByItBeforeTheDependantGetsIt) {
  Dag w(pair());
  w.begin();
  w.events[7] = block(1, 3, {1, 3});
  w.read(7, 3);
  w.events.erase(7);  // now there is 2, too

  w.done("up");

  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up1"));
  const IssueJob again = w.done("up");
  EXPECT_EQ(again.events.first_sequence(), 2);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up2", "up3"));
}

TEST(SchedulerNeeds, FailureWhileItRunsAgainIsItsOwnAndSurvivesABroker) {
  Dag w(pair(), 2);
  w.store[7] = {
      .latest = 6,
      .topologies = {
          {.topology = "dag", .lambdas = {{.lambda = "up", .cursor = 6}, {.lambda = "down", .cursor = 3}}}}};
  w.begin();
  w.read(7, 6);
  w.fails("up", 5, OutcomeKind::failed);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up4"));
  EXPECT_EQ(w.stored_cursor(0), 6);
  EXPECT_EQ(w.why().cause, Cause::parked);

  Dag anew(pair(), 3);
  anew.store = w.store;
  anew.begin();
  anew.read(7, 6);
  EXPECT_TRUE(anew.jobs.empty());
  anew.ask(Act::skip, 5);

  EXPECT_EQ(anew.acts.back().refusal, "");
  EXPECT_EQ(anew.done("up").events.first_sequence(), 6);
  EXPECT_THAT(inputs_of(anew.done("down")), ElementsAre("-"));
  EXPECT_THAT(inputs_of(anew.done("down")), ElementsAre("up6"));
  EXPECT_EQ(anew.view().state, SubjectState::done);
}

TEST(SchedulerNeeds, ParkedLambdaRunsAgainWhatLiesBeforeTheEventThatItIsParkedAt) {
  Dag w(pair(), 2);
  w.store[7] = {.latest = 9,
                .topologies = {{.topology = "dag",
                                .lambdas = {{.lambda = "up",
                                             .cursor = 6,
                                             .attempts = 1,
                                             .failed_sequence = 7,
                                             .failing_since_wall_ns = 5,
                                             .parked = true,
                                             .reason = "FAILED: no"},
                                            {.lambda = "down", .cursor = 3}}}}};
  w.begin();
  w.read(7, 9);

  w.fails("up", 5, OutcomeKind::retry);  // a failure of its own
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up4"));
  w.wait(2 * second);
  EXPECT_EQ(w.done("up").events.last_sequence(), 6);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up5", "up6"));
  EXPECT_TRUE(w.jobs.empty());
  EXPECT_EQ(w.view().state, SubjectState::parked);
  EXPECT_TRUE(w.view().stopped);
  EXPECT_EQ(w.stored_cursor(1), 6);
  EXPECT_EQ(w.store[7].topologies[0].lambdas[0].failing_since_wall_ns, 5)
      << "it fails since then, whatever ran again";

  w.ask(Act::redrive);

  EXPECT_EQ(w.done("up").events.first_sequence(), 7);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up7", "up8", "up9"));
}

TEST(SchedulerNeeds, RedriveOfALambdaThatIsBehindItsParkedEventKeepsItsOrder) {
  Dag w(pair(), 2);
  w.store[7] = {.latest = 9,
                .topologies = {{.topology = "dag",
                                .lambdas = {{.lambda = "up",
                                             .cursor = 6,
                                             .attempts = 1,
                                             .failed_sequence = 7,
                                             .parked = true,
                                             .reason = "FAILED: no"},
                                            {.lambda = "down", .cursor = 3}}}}};
  w.begin();
  w.read(7, 9);
  const IssueJob before = w.take("up");

  w.ask(Act::redrive);
  EXPECT_TRUE(w.jobs.empty()) << "its job has to end first";
  w.go({Status{1, never_started(before, OutcomeKind::cancelled)}});

  EXPECT_EQ(w.jobs.size(), 1u);
  const IssueJob again = w.done("up");
  EXPECT_EQ(again.events.first_sequence(), 4);
  EXPECT_EQ(again.events.last_sequence(), 9);
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up4", "up5", "up6", "up7", "up8", "up9"));
}

TEST(SchedulerNeeds, PipelinedDependantGetsWhatLiesInTheFinishedPrefix) {
  SchedulerPlan plan = pair();
  plan.topologies[0].mode = Mode::pipelined;
  plan.topologies[0].batch_events = 1;
  Dag w(plan);
  w.begin();
  w.read(7, 3);
  ASSERT_EQ(w.jobs.size(), 3u);
  const IssueJob first = w.take("up");
  w.done("up");  // of event 2
  EXPECT_EQ(w.find("down"), nullptr);
  wire::JobStatus status = all_done(first);
  status.outputs = {output("up1")};

  w.go({Status{1, status}});

  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up1"));
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up2"));
  w.done("up");
  EXPECT_THAT(inputs_of(w.done("down")), ElementsAre("up3"));
  EXPECT_EQ(w.view().state, SubjectState::done);
}

TEST(SchedulerNeeds, InputsCountForTheSizeOfAJob) {
  SchedulerPlan plan = pair();
  plan.topologies[0].batch_bytes = 1000;
  Dag w(plan);
  w.begin();
  w.read(7, 3);

  w.done("up", 7, 600);

  EXPECT_EQ(w.done("down").events.count, 1u);
}

TEST(SchedulerNeeds, StatusWithMoreOutputsThanWereAskedForCountsForNothing) {
  Dag w(pair());
  w.begin();
  w.read(7, 2);
  const IssueJob job = w.take("up");
  wire::JobStatus status = all_done(job);
  status.outputs = {output(std::string(job.outputs_bytes_max, 'x')), output("y")};

  w.go({Status{1, status}});

  const auto failed = w.why();
  EXPECT_EQ(failed.cause, Cause::backing_off);
  EXPECT_THAT(failed.detail, HasSubstr("were asked for"));
}

}  // namespace
}  // namespace cape::scheduler
