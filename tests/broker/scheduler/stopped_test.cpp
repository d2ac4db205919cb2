// A topology of several lambdas is told to be stopped when its cursor stays until an operator acts, and not
// before. Whoever waits for all else to be done goes by that.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/dag.hpp"

namespace cape::scheduler {
namespace {

storage::LambdaCursor stands(std::string lambda, Sequence cursor) {
  storage::LambdaCursor stored;
  stored.lambda = std::move(lambda);
  stored.cursor = cursor;
  return stored;
}

storage::LambdaCursor parked(std::string lambda, Sequence cursor, Sequence failed) {
  storage::LambdaCursor stored = stands(std::move(lambda), cursor);
  stored.attempts = 1;
  stored.failed_sequence = failed;
  stored.parked = true;
  stored.reason = "FAILED: no";
  return stored;
}

bool is_stopped(SchedulerPlan plan, Sequence latest, std::vector<storage::LambdaCursor> lambdas) {
  Dag w(std::move(plan));
  w.store[7] = {.latest = latest, .topologies = {{.topology = "dag", .lambdas = std::move(lambdas)}}};
  w.begin();
  return w.view().stopped;
}

SchedulerPlan fork_and_join() {
  return dag_plan({{"up", {}}, {"left", {0}}, {"right", {0}}, {"join", {1, 2}}});
}

TEST(SchedulerStopped, ParkedLambdaThatRunsAgainForOneThatCanGoOnIsNotStopped) {
  EXPECT_FALSE(is_stopped(fork_and_join(), 9,
                          {parked("up", 6, 7), stands("left", 6), stands("right", 3), stands("join", 3)}));
}

TEST(SchedulerStopped, LambdaThatWaitsForAnEventThatFailedWhenItRanAgainForItsOutputIsStopped) {
  const SchedulerPlan chain = dag_plan({{"up", {}}, {"mid", {0}}, {"down", {1}}});

  EXPECT_TRUE(is_stopped(chain, 9, {parked("up", 1, 1), stands("mid", 0), stands("down", 0)}));
  EXPECT_TRUE(is_stopped(chain, 9, {parked("up", 6, 1), stands("mid", 6), stands("down", 0)}));
}

TEST(SchedulerStopped, WhatTheLambdaBehindAParkedOneCanStillRunIsNotStopped) {
  Dag w(dag_plan({{"up", {}}, {"down", {0}}}), 1);
  w.begin();
  w.read(7, 4);
  w.fails("up", 3, OutcomeKind::failed);

  EXPECT_FALSE(w.view().stopped) << "events 1 and 2 run";
  w.done("down");
  EXPECT_TRUE(w.view().stopped);
}

}  // namespace
}  // namespace cape::scheduler
