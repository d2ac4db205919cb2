// What a host says of a job that is not out there any more changes nothing, and is counted.
#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

void expect_dropped(World& w, HostId host, const IssueJob& job) {
  const std::uint64_t before = w.scheduler.counters().stale_statuses;
  w.status(host, all_done(job));
  EXPECT_EQ(w.cursor(7), 0);
  EXPECT_EQ(w.last.size(), 1u);
  EXPECT_EQ(w.only<Notice>().kind, Notice::Kind::stale_status);
  EXPECT_EQ(w.scheduler.counters().stale_statuses, before + 1);
}

TEST(SchedulerStale, AResultOfAnOlderEpochIsDroppedAndCounted) {
  World before(one_topology(), 1);
  before.host(1);
  before.request(7, 3, run_of(1, 3));
  const auto old_job = before.only<IssueJob>();

  World w(one_topology(), 2);
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  EXPECT_GT(job.job, old_job.job);

  expect_dropped(w, 1, old_job);
  w.status(1, all_done(job));
  EXPECT_EQ(w.cursor(7), 3);
}

TEST(SchedulerStale, AResultOfAnOlderSessionIsDroppedAndCounted) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.step({HostGone{.host = 1}});
  w.host(2);
  w.request(7, 3, run_of(1, 3));

  expect_dropped(w, 1, job);
}

TEST(SchedulerStale, AResultOfAJobThatEndedIsDroppedAndCounted) {
  World w;
  w.host(1);
  w.request(7, 3, run_of(1, 3));
  const auto job = w.only<IssueJob>();
  w.status(1, failed_at(job, 1, OutcomeKind::retry));

  expect_dropped(w, 1, job);
}

}  // namespace
}  // namespace cape::scheduler
