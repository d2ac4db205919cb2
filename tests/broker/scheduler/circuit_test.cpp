// A lambda whose every event fails is left alone but for single probes, and single bad subjects hold up no
// other.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

// Hosts in virtual time: each job takes `run_ns` and then comes to what `end_of` says.
struct Field {
  using EndOf = std::function<wire::JobStatus(const IssueJob& job, std::int64_t begun_ns)>;

  explicit Field(SchedulerPlan plan, std::uint32_t credit, EndOf end)
      : w(std::move(plan)), end_of(std::move(end)) {
    w.host(1, credit);
  }

  void add(SubjectId subject) { request(subject); }
  // Until nothing is left to do, or `end_ns` of virtual time has passed.
  void run(std::int64_t end_ns) {
    const std::int64_t last_ns = w.now.boot_ns + end_ns;
    while (w.now.boot_ns < last_ns) {
      std::int64_t next = w.scheduler.next_deadline().value_or(last_ns);
      if (!ends.empty()) next = std::min(next, ends.top().first);
      if (!again.empty()) next = w.now.boot_ns;
      next = std::clamp(next, w.now.boot_ns, std::min(last_ns, beat_ns));
      w.advance(next - w.now.boot_ns);
      if (w.now.boot_ns >= beat_ns) {
        beat_ns += second;
        take(w.step({Heartbeat{.host = 1, .running = {}}}));
      }
      take(w.step({Tick{}}));
      while (!ends.empty() && ends.top().first <= w.now.boot_ns) {
        const JobId id = ends.top().second;
        ends.pop();
        const auto [job, begun_ns] = out.extract(id).mapped();
        const wire::JobStatus status = end_of(job, begun_ns);
        if (status.end.kind == OutcomeKind::ok)
          done_ns[job.subject] = w.now.boot_ns;
        else
          ++attempts[job.subject];
        take(w.status(1, status));
      }
      for (SubjectId subject : std::exchange(again, {})) request(subject);
      if (ends.empty() && w.scheduler.counters().timers == 0 && w.scheduler.counters().waiting_bytes == 0)
        return;
    }
  }

  void request(SubjectId subject) { take(w.request(subject, 1, run_of(1, 1))); }
  void take(Actions actions) {  // by value: saves step again
    for (const Action& action : actions) {
      if (const auto* job = std::get_if<IssueJob>(&action)) {
        out[job->job] = {*job, w.now.boot_ns};
        ends.push({w.now.boot_ns + run_ns, job->job});
        issued_ns[job->subject].push_back(w.now.boot_ns);
      } else if (const auto* ping = std::get_if<PingAgain>(&action)) {
        again.push_back(ping->subject);
      } else if (const auto* save = std::get_if<SaveCursor>(&action)) {
        take(w.saved(*save));
      }
    }
  }

  World w;
  EndOf end_of;
  std::int64_t run_ns = 5 * ms;
  std::int64_t beat_ns = w.now.boot_ns + second;
  std::map<JobId, std::pair<IssueJob, std::int64_t>> out;
  using End = std::pair<std::int64_t, JobId>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  std::vector<SubjectId> again;
  std::map<SubjectId, std::uint32_t> attempts;
  std::map<SubjectId, std::int64_t> done_ns;
  std::map<SubjectId, std::vector<std::int64_t>> issued_ns;
};

TEST(SchedulerCircuit, AShortOutageCostsOneOrTwoAttemptsOfFewEvents) {
  const std::int64_t begin_ns = World().now.boot_ns;
  const auto down = [&](const IssueJob& job, std::int64_t begun_ns) {
    return begun_ns < begin_ns + 200 * ms ? failed_at(job, 1, OutcomeKind::retry) : all_done(job);
  };
  constexpr SubjectId subjects = 10'000;
  Field field(one_topology(), 64, down);

  for (SubjectId subject = 1; subject <= subjects; ++subject) field.add(subject);
  field.run(60 * second);

  EXPECT_EQ(field.done_ns.size(), subjects);
  std::uint32_t worst = 0, total = 0;
  for (const auto& [subject, attempts] : field.attempts) {
    worst = std::max(worst, attempts);
    total += attempts;
  }
  EXPECT_GE(worst, 1u);
  EXPECT_LE(worst, 2u);
  EXPECT_LE(total, 64u + 8u);  // what was out when it began, and probes
  std::int64_t last_ns = 0;
  for (const auto& [subject, at] : field.done_ns) last_ns = std::max(last_ns, at);
  EXPECT_LE(last_ns - begin_ns, 3 * second);
}

TEST(SchedulerCircuit, WithoutItTheSameOutageCostsEachEventAnAttempt) {
  const std::int64_t begin_ns = World().now.boot_ns;
  SchedulerPlan plan = one_topology();
  plan.lambdas[0].breaker.enabled = false;
  Field field(plan, 64, [&](const IssueJob& job, std::int64_t begun_ns) {
    return begun_ns < begin_ns + 200 * ms ? failed_at(job, 1, OutcomeKind::retry) : all_done(job);
  });

  for (SubjectId subject = 1; subject <= 10'000; ++subject) field.add(subject);
  field.run(60 * second);

  EXPECT_GT(field.attempts.size(), 2000u);
}

TEST(SchedulerCircuit, OpenedItIssuesSingleProbesEachTimeLater) {
  Field field(one_topology(), 64,
              [](const IssueJob& job, std::int64_t) { return failed_at(job, 1, OutcomeKind::signaled); });

  for (SubjectId subject = 1; subject <= 1000; ++subject) field.add(subject);
  field.run(60 * second);

  EXPECT_TRUE(field.w.scheduler.circuit(0).open);
  EXPECT_EQ(field.w.scheduler.circuit(0).times_opened, 1u);
  std::size_t issued = 0;
  for (const auto& [subject, times] : field.issued_ns) issued += times.size();
  EXPECT_LE(issued, 64u + 30u);  // both kinds of probes, doubling from 200 ms to 10 s, for a minute
  EXPECT_GE(issued, 64u + 10u);
  EXPECT_EQ(field.w.scheduler.counters().jobs_in_flight, field.out.size());
}

// Subjects 1 to 9 fail for ever. Those that come while the breaker is open are issued the moment they come.
TEST(SchedulerCircuit, BadSubjectsHoldUpNoGoodOne) {
  Field field(one_topology(), 64, [](const IssueJob& job, std::int64_t) {
    return job.subject < 10 ? failed_at(job, 1, OutcomeKind::signaled) : all_done(job);
  });
  for (SubjectId subject = 1; subject < 10; ++subject) field.add(subject);
  field.run(30 * ms);
  ASSERT_TRUE(field.w.scheduler.circuit(0).open);

  for (SubjectId subject = 100; subject < 120; ++subject) {
    const std::int64_t came_ns = field.w.now.boot_ns;
    field.add(subject);
    field.run(300 * ms);
    ASSERT_TRUE(field.done_ns.contains(subject));
    EXPECT_EQ(field.issued_ns[subject].front(), came_ns) << subject;
  }
}

// Each event fails three times, and then succeeds.
std::int64_t time_with_three_failures_each(bool breaker) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].retry = {.first_ms = 20, .factor = 2, .max_ms = 50};
  plan.lambdas[0].breaker.enabled = breaker;
  Field field(plan, 64, [](const IssueJob& job, std::int64_t) {
    return job.attempt < 3 ? failed_at(job, 1, OutcomeKind::retry) : all_done(job);
  });
  const std::int64_t begin_ns = field.w.now.boot_ns;
  for (SubjectId subject = 1; subject <= 2000; ++subject) field.add(subject);

  field.run(600 * second);

  EXPECT_EQ(field.done_ns.size(), 2000u);
  for (const auto& [subject, attempts] : field.attempts) EXPECT_EQ(attempts, 3u) << subject;
  return field.w.now.boot_ns - begin_ns;
}

TEST(SchedulerCircuit, WhatFailsAFewTimesAndThenSucceedsIsThroughInSeconds) {
  EXPECT_LE(time_with_three_failures_each(true), 20 * second);
  EXPECT_LE(time_with_three_failures_each(false), 2 * second);
}

// Nothing fresh comes that would show that the lambda works; of those that failed, one would succeed by now.
TEST(SchedulerCircuit, SubjectsThatFailForEverProbeNoGoodOneAway) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].retry = {.first_ms = 20, .factor = 2, .max_ms = 50};
  Field field(plan, 64, [](const IssueJob& job, std::int64_t) {
    return job.subject < 10 || job.attempt == 0 ? failed_at(job, 1, OutcomeKind::signaled) : all_done(job);
  });
  for (SubjectId subject = 1; subject <= 10; ++subject) field.add(subject);

  field.run(600 * second);

  EXPECT_TRUE(field.done_ns.contains(10));
}

// One that hangs as a probe is not waited for.
TEST(SchedulerCircuit, AHangingProbeHoldsUpNoGoodSubjectForLong) {
  World w;
  w.host(1, 64);
  for (SubjectId subject = 1; subject <= 5; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::signaled));
  }
  ASSERT_TRUE(w.scheduler.circuit(0).open);
  w.request(6, 1, run_of(1, 1));
  ASSERT_EQ(w.only<IssueJob>().subject, 6u);

  w.request(7, 1, run_of(1, 1));
  EXPECT_EQ(w.count<IssueJob>(), 0u);
  bool issued = false;
  const std::int64_t came_ns = w.now.boot_ns;
  while (!issued && w.now.boot_ns < came_ns + second) {
    ASSERT_TRUE(w.to_deadline());
    for (const IssueJob& job : all_of<IssueJob>(w.last)) issued |= job.subject == 7;
  }

  EXPECT_TRUE(issued);
  EXPECT_LE(w.now.boot_ns, came_ns + 200 * ms);
}

TEST(SchedulerCircuit, OneSuccessLetsAllGoOn) {
  World w;
  w.host(1, 64);
  for (SubjectId subject = 1; subject <= 5; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::signaled));
  }
  EXPECT_EQ(notices(w.last, Notice::Kind::circuit_opened).size(), 1u);
  w.request(6, 1, run_of(1, 1));
  const auto probe = w.only<IssueJob>();
  for (SubjectId subject = 7; subject <= 20; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    EXPECT_EQ(w.count<IssueJob>(), 0u);
  }

  w.status(1, all_done(probe));

  EXPECT_EQ(notices(w.last, Notice::Kind::circuit_closed).size(), 1u);
  EXPECT_EQ(w.count<IssueJob>(), 14u);
}

TEST(SchedulerCircuit, WhatALambdaRefusesOpensNothing) {
  World w;
  w.host(1, 64);
  for (SubjectId subject = 1; subject <= 50; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    w.status(
        1, failed_at(w.only<IssueJob>(), 1, subject % 2 == 0 ? OutcomeKind::failed : OutcomeKind::bad_input));
  }
  EXPECT_FALSE(w.scheduler.circuit(0).open);
}

TEST(SchedulerCircuit, WhyNamesItWithTheLastFailureAndTheNextProbe) {
  World w;
  w.host(1, 64);
  for (SubjectId subject = 1; subject <= 6; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    w.status(1, failed_at(w.only<IssueJob>(), 1, OutcomeKind::retry, "the index is down"));
  }
  w.request(7, 1, run_of(1, 1));

  const Why why = w.scheduler.why(7, 0, nullptr).at(0);

  EXPECT_EQ(why.cause, Cause::circuit_open);
  EXPECT_NE(why.detail.find("the index is down"), std::string::npos) << why.detail;
  EXPECT_EQ(why.until_ns, w.now.boot_ns + 200 * ms);
  EXPECT_EQ(w.scheduler.why(6, 0, nullptr).at(0).cause, Cause::backing_off);
}

// Two lambdas of one topology, of which one fails.
TEST(SchedulerCircuit, IsOfOneLambdaAlone) {
  SchedulerPlan plan;
  add_topology(plan, "audit", {"bad", "good"});
  World w(plan);
  w.host(1, 64, 2);
  for (SubjectId subject = 1; subject <= 20; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    for (const IssueJob& job : all_of<IssueJob>(w.last))
      w.status(1, job.lambda == 0 ? failed_at(job, 1, OutcomeKind::signaled) : all_done(job));
  }
  EXPECT_TRUE(w.scheduler.circuit(0).open);
  EXPECT_FALSE(w.scheduler.circuit(1).open);
  w.request(21, 1, run_of(1, 1));
  EXPECT_EQ(w.count<IssueJob>(), 1u);
}

}  // namespace
}  // namespace cape::scheduler
