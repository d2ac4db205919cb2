// One subject's trouble is its own.
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

constexpr SubjectId others_a_round = 9;

// Subject 1 fails a thousand times while 10,000 others run; the others must not notice, not even those that
// back off themselves.
TEST(SchedulerIsolation, ASubjectThatFailsAThousandTimesLeavesTheTimesOfTenThousandOthersAlone) {
  const auto run = [](bool with_failing) {
    SchedulerPlan plan = one_topology();
    plan.topologies[0].retry = {.first_ms = 1, .factor = 1, .max_ms = 1};
    World w(plan);
    w.host(1, 1000);
    std::string of_others;
    std::optional<IssueJob> failing;
    for (int round = 0; round < 1200; ++round) {
      w.advance(2 * ms);
      w.step({Heartbeat{.host = 1, .running = {}}, Tick{}});
      if (with_failing) {
        if (failing) w.status(1, failed_at(*failing, 1, OutcomeKind::signaled));
        w.advance(ms);
        w.step({Tick{}});
        w.request(1, 1, run_of(1, 1));
        failing = w.only<IssueJob>();
      } else {
        w.advance(ms);
        w.step({Tick{}});
      }
      for (SubjectId i = 0; i < others_a_round; ++i) {
        const SubjectId subject = 2 + static_cast<SubjectId>(round) * others_a_round + i;
        w.request(subject, 1, run_of(1, 1));
        const auto job = w.only<IssueJob>();
        EXPECT_EQ(job.subject, subject);
        of_others += fmt::format("{} at {}\n", subject, w.now.boot_ns);
        w.status(1, round % 3 == 0 && i == 0 ? failed_at(job, 1, OutcomeKind::retry) : all_done(job));
        for (const Notice& notice : all_of<Notice>(w.last))
          of_others += fmt::format("{} {}\n", w.now.boot_ns, notice.next_try_ns);
      }
    }
    if (with_failing) {
      EXPECT_GT(failing->attempt, 1000u);
    }
    return of_others;
  };

  EXPECT_EQ(run(true), run(false));
}

}  // namespace
}  // namespace cape::scheduler
