#include "host/worker/worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <deque>
#include <map>

#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::WorkerBench;

// ---- every job ends in exactly one status, whatever its children do

TEST(Worker, EndsEachJobOnceUnderRandomDeathsAndDelays) {
  const unsigned seed = ::testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(fmt::format("--gtest_random_seed={}", seed));
  std::srand(seed);
  const auto pick = [](int below) { return std::rand() % below; };

  WorkerBench bench(2);
  bench.open();
  struct Fake {
    bool ready = false;
    std::deque<wire::RunJob> jobs;
  };
  std::map<ChildId, Fake> children;
  std::map<JobId, int> statuses;
  std::map<JobId, std::uint32_t> events;
  JobId last_job = 0;
  std::vector<Input> inputs;
  const auto perform = [&](std::vector<Action> actions) {
    for (Action& action : actions) {
      if (auto* start = std::get_if<StartChild>(&action)) children[start->child];
      if (auto* give = std::get_if<GiveJob>(&action)) children.at(give->child).jobs.push_back(*give->job);
      if (auto* back = std::get_if<TakeBack>(&action)) {
        Fake& fake = children.at(back->child);
        for (; fake.jobs.size() > 1; fake.jobs.pop_back())
          inputs.push_back(WorkerBench::gave_back(back->child, fake.jobs.back().job));
      }
      if (auto* status = std::get_if<ReportStatus>(&action)) {
        ++statuses[status->status.job];
        if (status->status.end.kind == OutcomeKind::ok) {
          EXPECT_EQ(status->status.events_done, events[status->status.job]);
        }
      }
    }
  };
  const auto die = [&](ChildId id, Fake& fake) {
    std::vector<wire::JobStatus> left;
    for (const wire::RunJob& job : fake.jobs) left.push_back(WorkerBench::untouched(job.job));
    if (!left.empty() && pick(2) == 0) left[0].started = true;
    inputs.push_back(WorkerBench::ended(id, OutcomeKind::signaled, left, fake.ready));
  };

  for (int turn = 0; turn < 20'000; ++turn) {
    bench.now_ns += pick(20) * ns_per_ms;
    if (pick(3) == 0 && last_job < 2'000) {
      const auto count = static_cast<std::uint32_t>(1 + pick(3));
      inputs.push_back(WorkerBench::job(++last_job, fmt::format("s{}", pick(30)), 1, count));
      events[last_job] = count;
    }
    for (auto at = children.begin(); at != children.end();) {
      auto& [id, fake] = *at;
      const int what = pick(12);
      if (what == 0) {
        die(id, fake);
        at = children.erase(at);
        continue;
      }
      if (!fake.ready && what < 6) {
        fake.ready = true;
        inputs.push_back(WorkerBench::ready(id));
      } else if (!fake.jobs.empty() && what < 9) {
        const wire::RunJob& job = fake.jobs.front();
        inputs.push_back(bench.done(id, job.job, job.events.last_sequence(), job.events.count));
        fake.jobs.pop_front();
      }
      ++at;
    }
    std::vector<Input> now = std::exchange(inputs, {});
    now.emplace_back(TimePassed{});
    perform(bench.worker.step(bench.now_ns, now));
  }
  inputs.emplace_back(DrainAsked{});
  for (int turn = 0; turn < 10; ++turn) {
    std::vector<Input> now = std::exchange(inputs, {});
    perform(bench.worker.step(bench.now_ns, now));
    for (auto& [id, fake] : children) die(id, fake);
    children.clear();
  }

  EXPECT_EQ(statuses.size(), last_job);
  for (const auto& [job, count] : statuses) EXPECT_EQ(count, 1) << "job " << job;
}

}  // namespace
}  // namespace cape::host
