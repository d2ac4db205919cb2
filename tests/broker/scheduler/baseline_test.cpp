// Topologies that begin at the source's latest: where is known when a scan of it is stored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr TopologyIndex mail = 1;
constexpr std::size_t mail_view = 1;

SchedulerPlan audit_and_mail() {
  SchedulerPlan plan = one_topology();
  add_topology(plan, "mail", {"send", "log"}).from_baseline = true;
  return plan;
}

storage::CursorInfo starting(Sequence cursor) {
  return {.starts = {{.topology = "mail", .cursor = cursor}}};
}

std::vector<LambdaIndex> lambdas_of(const Actions& actions) {
  std::vector<LambdaIndex> lambdas;
  for (const IssueJob& job : all_of<IssueJob>(actions)) lambdas.push_back(job.lambda);
  return lambdas;
}

void finish(World& w, const std::vector<IssueJob>& jobs) {
  for (const IssueJob& job : jobs) w.status(1, all_done(job));
}

class Baseline : public testing::Test {
 protected:
  Baseline() : w(audit_and_mail()) { w.host(1, 64, 3); }

  World w;
};

TEST_F(Baseline, NothingOfTheTopologyRunsWhileTheScanDoes) {
  w.request(7, 3, run_of(1, 3));

  EXPECT_THAT(lambdas_of(w.last), testing::ElementsAre(0u)) << "the other topology goes on";
  EXPECT_EQ(w.state(7, mail_view), SubjectState::waiting);
  const Why why = w.scheduler.why(7, 0, nullptr).at(mail_view);
  EXPECT_EQ(why.cause, Cause::baseline_running);
  EXPECT_THAT(w.scheduler.view(7, 0, nullptr).topologies[mail_view].reason, HasSubstr("scan"));
  for (const TopologyPosition& at : w.scheduler.positions(7, 0, nullptr))
    EXPECT_FALSE(at.topology == mail && at.can_run);
}

TEST_F(Baseline, ASubjectThatTheScanHasNotReachedIsSavedAsBehindAndWithoutTheTopology) {
  w.request(7, 3, run_of(1, 3));
  const auto first = w.only<SaveCursor>();
  finish(w, all_of<IssueJob>(w.last));

  w.saved(first);
  const auto save = w.only<SaveCursor>();

  EXPECT_TRUE(save.behind);
  ASSERT_EQ(save.info.topologies.size(), 1u);
  EXPECT_EQ(save.info.topologies[0].topology, "audit");
  w.saved(save);
  EXPECT_FALSE(w.scheduler.holds(7)) << "nothing of it can go on";
}

TEST_F(Baseline, WhenItIsDoneASubjectBeginsBehindWhatTheScanFound) {
  w.step({BaselineDone{mail}});
  EXPECT_EQ(w.count<WalkBehind>(), 1u) << "those that left memory behind are pinged";

  w.request(7, 5, run_of(4, 5), starting(3));

  const auto jobs = all_of<IssueJob>(w.last);
  EXPECT_THAT(lambdas_of(w.last), testing::ElementsAre(1u, 2u)) << "audit begins at 1";
  for (const IssueJob& job : jobs) EXPECT_EQ(job.events.first_sequence(), 4);
}

TEST_F(Baseline, ASubjectThatTheScanDidNotFindBeginsAtItsFirstEvent) {
  w.step({BaselineDone{mail}});

  w.request(7, 2, run_of(1, 2));

  for (const IssueJob& job : all_of<IssueJob>(w.last)) EXPECT_EQ(job.events.first_sequence(), 1);
  EXPECT_EQ(w.count<IssueJob>(), 3u);
}

TEST_F(Baseline, ASubjectInMemoryIsReadAgainWhenItIsDoneAndPlacedByWhatIsStored) {
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  EXPECT_FALSE(w.scheduler.needs_start(7));

  w.step({BaselineDone{mail}});
  EXPECT_TRUE(w.scheduler.needs_start(7));
  EXPECT_EQ(w.only<PingAgain>().subject, 7u);
  w.request(7, 4, run_of(4, 4), starting(3));

  EXPECT_FALSE(w.scheduler.needs_start(7));
  EXPECT_THAT(lambdas_of(w.last), testing::ElementsAre(1u, 2u));
  EXPECT_EQ(w.cursor(7, mail_view), 3);
  finish(w, all_of<IssueJob>(w.last));
  w.status(1, all_done(job));
  EXPECT_EQ(w.cursor(7, mail_view), 4);
}

TEST_F(Baseline, ASourceThatDoesNotKnowASubjectPlacesItNowhere) {
  w.request(7, 5, run_of(1, 5));
  const auto jobs = all_of<IssueJob>(w.last);
  w.step({BaselineDone{mail}});

  auto gone = World::make_request(7, 0, nothing());
  gone.gone = true;
  w.step({gone});
  finish(w, jobs);
  w.request(7, 5, run_of(1, 5), starting(3));

  for (const IssueJob& job : all_of<IssueJob>(w.last)) EXPECT_EQ(job.events.first_sequence(), 4);
  EXPECT_EQ(w.count<IssueJob>(), 2u);
}

TEST_F(Baseline, TheRecordKeepsWhereTheTopologyStands) {
  w.step({BaselineDone{mail}});
  w.request(7, 4, run_of(1, 4), starting(3));
  const auto jobs = all_of<IssueJob>(w.last);
  const auto first = w.only<SaveCursor>();
  finish(w, jobs);

  w.saved(first);
  const auto save = w.only<SaveCursor>();

  ASSERT_EQ(save.info.topologies.size(), 2u);
  for (const storage::LambdaCursor& at : save.info.topologies[1].lambdas) EXPECT_EQ(at.cursor, 4);
  EXPECT_THAT(save.info.starts, IsEmpty()) << "they are no part of the record";
}

TEST_F(Baseline, ASourceThatWentBackStopsNothingOfWhichTheStartIsNotKnown) {
  storage::CursorInfo stored = stored_at(9, 9);

  w.request(7, 2, nothing(), stored);

  ASSERT_EQ(notices(w.last, Notice::Kind::source_went_back).size(), 1u);
  EXPECT_EQ(w.state(7, 0), SubjectState::parked);
  EXPECT_EQ(w.state(7, mail_view), SubjectState::waiting);
}

TEST_F(Baseline, ARecordOfTheTopologyCountsMoreThanAnyStart) {
  w.step({BaselineDone{mail}});
  storage::CursorInfo stored{
      .latest = 9,
      .topologies = {{.topology = "mail",
                      .lambdas = {{.lambda = "send", .cursor = 6}, {.lambda = "log", .cursor = 6}}}},
      .starts = {{.topology = "mail", .cursor = 8}}};

  w.request(7, 9, run_of(1, 9), stored);

  EXPECT_EQ(w.cursor(7, mail_view), 6);
}

TEST_F(Baseline, DependantsWaitForIt) {
  SchedulerPlan plan = audit_and_mail();
  add_topology(plan, "after_mail").after = {mail};
  World v(plan);
  v.host(1, 64, 4);

  v.request(7, 3, run_of(1, 3));
  EXPECT_THAT(lambdas_of(v.last), testing::ElementsAre(0u));

  v.step({BaselineDone{mail}});
  v.request(7, 3, run_of(1, 3), starting(3));
  EXPECT_THAT(lambdas_of(v.last), testing::ElementsAre(3u)) << "all of it counts as passed";
}

TEST_F(Baseline, OperatorsAreRefusedWhileItIsNotKnownWhereASubjectBegins) {
  w.step({Command{.id = 1,
                  .act = Act::pause,
                  .topology = mail,
                  .subject = 7,
                  .domain = 0,
                  .name = "s7",
                  .stored = {},
                  .sequence = 0,
                  .reason = "r"}});

  EXPECT_THAT(w.only<CommandDone>().refusal, HasSubstr("try again"));
}

TEST_F(Baseline, IsNoReasonToStopASubjectWhoseSourceTellsLessThanTheScanFound) {
  w.step({BaselineDone{mail}});

  w.request(7, 2, run_of(1, 2), starting(5));

  EXPECT_THAT(notices(w.last, Notice::Kind::source_went_back), IsEmpty());
  EXPECT_THAT(lambdas_of(w.last), testing::ElementsAre(0u));
}

}  // namespace
}  // namespace cape::scheduler
