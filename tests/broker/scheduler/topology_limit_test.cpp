// Limits that an operator sets for a topology: events a second, jobs at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

// Lets time pass until `end_ns`, ending each job at once; how many events were issued.
std::uint64_t events_until(World& w, std::int64_t end_ns, std::vector<IssueJob> jobs) {
  std::uint64_t events = 0;
  while (true) {
    while (!jobs.empty()) {
      std::vector<IssueJob> next;
      for (const IssueJob& job : jobs) {
        events += job.events.count;
        w.status(1, all_done(job));
        for (IssueJob& more : all_of<IssueJob>(w.last)) next.push_back(std::move(more));
      }
      jobs = std::move(next);
    }
    w.step({Heartbeat{.host = 1, .running = {}}});
    const auto deadline = w.scheduler.next_deadline();
    if (!deadline || *deadline > end_ns) return events;
    w.to_deadline();
    jobs = all_of<IssueJob>(w.last);
  }
}

TEST(SchedulerTopologyLimit, EventsASecondAreHeldOverTimeWhateverWaits) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].batch_events = 10;
  plan.topologies[0].events_per_s = 100;
  plan.lease_ns = 1000 * second;
  World w(plan);
  w.host(1, 64);
  const std::int64_t start_ns = w.now.boot_ns;
  std::vector<Input> requests;
  for (SubjectId subject = 1; subject <= 2000; ++subject)
    requests.push_back(World::make_request(subject, 1, run_of(1, 1)));
  w.step(std::move(requests));

  const std::uint64_t events = events_until(w, start_ns + 10 * second, all_of<IssueJob>(w.last));

  EXPECT_GE(events, 990u);
  EXPECT_LE(events, 1020u) << "with what is made up for";
}

TEST(SchedulerTopologyLimit, NoMoreJobsAtOnceThanAllowedOverAllLambdas) {
  SchedulerPlan plan;
  add_topology(plan, "audit", {"a", "b"}).jobs_max = 3;
  add_topology(plan, "free");
  World w(plan);
  w.host(1, 64, 3);
  std::vector<Input> requests;
  for (SubjectId subject = 1; subject <= 8; ++subject)
    requests.push_back(World::make_request(subject, 1, run_of(1, 1)));
  w.step(std::move(requests));

  const auto jobs = all_of<IssueJob>(w.last);
  EXPECT_EQ(std::ranges::count_if(jobs, [](const IssueJob& job) { return job.lambda < 2; }), 3);
  EXPECT_EQ(std::ranges::count_if(jobs, [](const IssueJob& job) { return job.lambda == 2; }), 8)
      << "the other topology is free";
  EXPECT_FALSE(w.scheduler.next_deadline() && *w.scheduler.next_deadline() <= w.now.boot_ns)
      << "nothing spins";

  std::vector<IssueJob> out(jobs.begin(), jobs.end());
  std::size_t of_audit = 0;
  while (!out.empty()) {
    const IssueJob job = out.back();
    out.pop_back();
    of_audit += job.lambda < 2;
    w.status(1, all_done(job));
    for (IssueJob& more : all_of<IssueJob>(w.last)) out.push_back(std::move(more));
    EXPECT_LE(std::ranges::count_if(out, [](const IssueJob& j) { return j.lambda < 2; }), 3);
  }
  EXPECT_EQ(of_audit, 16u);
}

TEST(SchedulerTopologyLimit, AJobThatItsHostLostMakesRoomAgain) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].jobs_max = 1;
  World w(plan);
  w.host(1);
  w.step({World::make_request(1, 1, run_of(1, 1)), World::make_request(2, 1, run_of(1, 1))});
  ASSERT_EQ(w.count<IssueJob>(), 1u);
  EXPECT_EQ(w.scheduler.why(2, 0, nullptr).at(0).cause, Cause::rate_limited);
  w.host(2);

  w.step({HostGone{.host = 1, .clean = true}});

  EXPECT_EQ(w.count<IssueJob>(), 1u);
}

}  // namespace
}  // namespace cape::scheduler
