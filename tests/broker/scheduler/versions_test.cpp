// Two versions of a lambda's plugin side by side: which subject has which, and when it changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

using testing::IsEmpty;

constexpr LambdaIndex first = 0, twin = 1;

SchedulerPlan two_slots(Mode mode = Mode::strict) {
  SchedulerPlan plan = one_topology();
  plan.topologies[0].mode = mode;
  plan.topologies[0].batch_events = 1;
  plan.lambdas.push_back(plan.lambdas[0]);
  plan.lambdas[first].twin = twin;
  plan.lambdas[twin].twin = first;
  plan.lambdas[twin].is_twin = true;
  return plan;
}
Split share_of(std::uint32_t share, bool stable_in_twin = false) {
  return {.lambda = first, .stable_in_twin = stable_in_twin, .share = share};
}

// Two hosts' worth of room in both slots.
struct Versions : World {
  explicit Versions(Mode mode = Mode::strict) : World(two_slots(mode)) { host(1, 100'000, 2); }

  // In which slot each of `count` subjects has its first event run.
  std::map<SubjectId, LambdaIndex> slots_of(SubjectId count) {
    std::map<SubjectId, LambdaIndex> slots;
    for (SubjectId s = 1; s <= count; ++s) {
      request(s, 1, run_of(1, 1));
      const auto job = only<IssueJob>();
      slots[s] = job.lambda;
      status(1, all_done(job));
    }
    return slots;
  }
};

std::size_t count_of(const std::map<SubjectId, LambdaIndex>& slots, LambdaIndex slot) {
  return static_cast<std::size_t>(
      std::ranges::count_if(slots, [slot](const auto& entry) { return entry.second == slot; }));
}

// A subject that has the candidate with this share, and one that has it with none below `all`.
SubjectId subject_in(LambdaIndex slot, std::uint32_t share) {
  Versions world;
  world.step({share_of(share)});
  for (const auto& [subject, in] : world.slots_of(200))
    if (in == slot) return subject;
  return 0;
}

TEST(Versions, WithoutASplitEverySubjectHasTheFirstSlot) {
  Versions world;

  EXPECT_EQ(count_of(world.slots_of(200), first), 200u);
}

TEST(Versions, ShareOfTheSubjectsHasTheCandidate) {
  Versions world;
  world.step({share_of(500)});
  const std::size_t tried = count_of(world.slots_of(4000), twin);

  EXPECT_GT(tried, 140u);
  EXPECT_LT(tried, 260u);
}

TEST(Versions, AChangeCarriesOverNoMoreThanTheOtherSlotHasRoomFor) {
  SchedulerPlan plan = two_slots();
  plan.waiting_bytes_max = 4000;
  World world(plan);
  world.step({share_of(5000)});
  for (SubjectId s = 1; s <= 100; ++s) world.request(s, 1, run_of(1, 1, 100));
  ASSERT_GT(world.scheduler.counters().waiting_bytes, 4000u) << "both slots are full";

  world.step({share_of(0)});

  EXPECT_LE(world.scheduler.counters().waiting_bytes, 4000u);
}

TEST(Versions, AreTheSameForEachSubjectAfterARestart) {
  Versions before, after;
  before.step({share_of(2500)});
  after.step({share_of(2500)});

  EXPECT_EQ(before.slots_of(500), after.slots_of(500));
}

TEST(Versions, GreaterShareKeepsTheSubjectsOfTheSmallerOne) {
  Versions small, great;
  small.step({share_of(500)});
  great.step({share_of(2500)});
  const auto in_small = small.slots_of(1000), in_great = great.slots_of(1000);

  EXPECT_GT(count_of(in_great, twin), count_of(in_small, twin));
  for (const auto& [subject, slot] : in_small) {
    if (slot == twin) {
      EXPECT_EQ(in_great.at(subject), twin) << subject;
    }
  }
}

TEST(Versions, StableOneMayBeInEitherSlot) {
  Versions there, here;
  there.step({share_of(2500)});
  here.step({share_of(2500, true)});
  const auto one = there.slots_of(500), other = here.slots_of(500);

  for (const auto& [subject, slot] : one) EXPECT_NE(slot, other.at(subject)) << subject;
}

TEST(Versions, SubjectChangesItsVersionOnlyWhenItsJobHasEnded) {
  Versions world;
  world.request(1, 2, run_of(1, 2));
  const auto old_job = world.only<IssueJob>();
  ASSERT_EQ(old_job.lambda, first);

  world.step({share_of(split_whole)});
  EXPECT_THAT(all_of<IssueJob>(world.last), IsEmpty()) << "its job is in flight";

  world.status(1, all_done(old_job));
  const auto next = world.only<IssueJob>();
  EXPECT_EQ(next.lambda, twin);
  EXPECT_EQ(next.events.first_sequence(), 2);
}

TEST(Versions, SubjectWithoutAJobChangesAtOnceWithWhatWaits) {
  Versions world;
  world.step({Credit{.host = 1, .lambda = first, .jobs_max = 0, .hash = "hash", .trouble = {}}});
  world.request(1, 1, run_of(1, 1));
  ASSERT_THAT(all_of<IssueJob>(world.last), IsEmpty()) << "there is no room in the first slot";

  world.step({share_of(split_whole)});

  EXPECT_EQ(world.only<IssueJob>().lambda, twin);
}

TEST(Versions, PipelinedSubjectIsIssuedNothingUntilAllItsJobsHaveEnded) {
  Versions world(Mode::pipelined);
  world.request(1, 3, run_of(1, 3));
  const auto jobs = all_of<IssueJob>(world.last);
  ASSERT_EQ(jobs.size(), 3u);
  world.step({share_of(split_whole)});
  world.request(1, 5, run_of(4, 5));
  EXPECT_THAT(all_of<IssueJob>(world.last), IsEmpty());

  world.status(1, all_done(jobs[1]));
  world.status(1, all_done(jobs[0]));
  EXPECT_THAT(all_of<IssueJob>(world.last), IsEmpty()) << "one is still out";
  world.status(1, all_done(jobs[2]));

  const auto next = all_of<IssueJob>(world.last);
  ASSERT_EQ(next.size(), 2u);
  EXPECT_EQ(next[0].lambda, twin);
  EXPECT_EQ(next[1].lambda, twin);
}

TEST(Versions, RollbackBeforeTheJobEndedLeavesTheSubjectWhereItIs) {
  Versions world;
  world.request(1, 2, run_of(1, 2));
  const auto job = world.only<IssueJob>();
  world.step({share_of(split_whole)});
  world.step({share_of(0)});
  world.status(1, all_done(job));

  EXPECT_EQ(world.only<IssueJob>().lambda, first);
}

TEST(Versions, JobOfALostHostMovesItsSubjectToo) {
  Versions world;
  world.request(1, 1, run_of(1, 1));
  world.step({share_of(split_whole)});
  world.step({HostGone{1, false}});
  world.host(2, 10, 2);
  world.request(1, 1, run_of(1, 1));

  EXPECT_EQ(world.only<IssueJob>().lambda, twin);
}

TEST(Versions, SlotWithoutRoomHoldsUpNobodyInTheOther) {
  const SubjectId tried = subject_in(twin, 2500), untried = subject_in(first, 2500);
  Versions world;
  world.step(
      {share_of(2500), Credit{.host = 1, .lambda = twin, .jobs_max = 0, .hash = "", .trouble = "gone"}});
  world.request(tried, 1, run_of(1, 1));
  EXPECT_THAT(all_of<IssueJob>(world.last), IsEmpty());
  world.request(untried, 1, run_of(1, 1));

  EXPECT_EQ(world.only<IssueJob>().lambda, first);
  const auto why = world.scheduler.why(tried, 0, nullptr);
  ASSERT_EQ(why.size(), 1u);
  EXPECT_THAT(why[0].detail, testing::HasSubstr("gone"));
}

TEST(Versions, BreakerOfTheCandidateLeavesTheStableOneAlone) {
  Versions world;
  world.step({share_of(2500)});
  std::vector<SubjectId> tried, untried;
  for (const auto& [subject, slot] : world.slots_of(200)) (slot == twin ? tried : untried).push_back(subject);
  ASSERT_GT(tried.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    world.request(tried[i], 2, run_of(2, 2));
    for (const IssueJob& job : all_of<IssueJob>(world.last))
      world.status(1, failed_at(job, 2, OutcomeKind::retry));
  }
  ASSERT_TRUE(world.scheduler.circuit(twin).open);

  world.request(untried[0], 2, run_of(2, 2));
  EXPECT_FALSE(world.scheduler.circuit(first).open);
  EXPECT_EQ(world.only<IssueJob>().lambda, first);
}

TEST(Versions, SubjectThatBacksOffTakesItsTimerAlong) {
  Versions world;
  world.request(1, 1, run_of(1, 1));
  world.status(1, failed_at(world.only<IssueJob>(), 1, OutcomeKind::retry));
  ASSERT_EQ(world.state(1), SubjectState::backing_off);
  world.step({share_of(split_whole)});
  ASSERT_EQ(world.state(1), SubjectState::backing_off);
  EXPECT_EQ(world.scheduler.counters().timers, 1u);

  world.advance(10 * second);
  world.step({Tick{}, Heartbeat{1, {}}});
  world.request(1, 1, run_of(1, 1));
  const auto job = world.only<IssueJob>();
  EXPECT_EQ(job.lambda, twin);
  EXPECT_EQ(job.attempt, 1u);
  EXPECT_EQ(world.scheduler.counters().timers, 0u);
}

TEST(Versions, OutcomesTellSlotFailuresAndTime) {
  Versions world;
  world.step({share_of(split_whole)});
  world.request(1, 1, run_of(1, 1));
  wire::JobStatus done = all_done(world.only<IssueJob>());
  done.first_start_ns = 1000 * second;
  done.end_ns = 1000 * second + 7 * ms;
  world.status(1, done);
  ASSERT_EQ(world.scheduler.outcomes().size(), 1u);
  EXPECT_EQ(world.scheduler.outcomes()[0].lambda, twin);
  EXPECT_EQ(world.scheduler.outcomes()[0].events_done, 1u);
  EXPECT_FALSE(world.scheduler.outcomes()[0].failed);
  EXPECT_EQ(world.scheduler.outcomes()[0].event_ns, 7 * ms);

  world.request(1, 2, run_of(2, 2));
  EXPECT_THAT(world.scheduler.outcomes(), IsEmpty()) << "those of the last step alone";
  world.status(1, failed_at(world.only<IssueJob>(), 2, OutcomeKind::failed));
  ASSERT_EQ(world.scheduler.outcomes().size(), 1u);
  EXPECT_TRUE(world.scheduler.outcomes()[0].failed);
}

TEST(Versions, JobThatNeverBeganIsNoOutcome) {
  Versions world;
  world.request(1, 1, run_of(1, 1));
  world.status(1, never_started(world.only<IssueJob>(), OutcomeKind::cancelled));

  EXPECT_THAT(world.scheduler.outcomes(), IsEmpty());
}

TEST(Versions, LambdaWithoutATwinHasNoOutcomes) {
  World world;
  world.host(1);
  world.request(1, 1, run_of(1, 1));
  world.status(1, all_done(world.only<IssueJob>()));

  EXPECT_THAT(world.scheduler.outcomes(), IsEmpty());
}

TEST(Versions, JobsOfASlotAreCounted) {
  Versions world;
  world.request(1, 1, run_of(1, 1));
  const auto job = world.only<IssueJob>();
  EXPECT_EQ(world.scheduler.jobs_of(first), 1u);
  EXPECT_EQ(world.scheduler.jobs_of(twin), 0u);
  world.status(1, all_done(job));
  EXPECT_EQ(world.scheduler.jobs_of(first), 0u);
}

// Shares change while jobs run, fail, come back and get lost: no subject ever has jobs in both slots, each
// event runs in order, and nothing is left over in the end.
struct Shaken : Versions {
  explicit Shaken(std::uint64_t seed)
      : Versions(seed % 2 == 0 ? Mode::strict : Mode::pipelined), random(seed) {}

  void take() {
    for (const IssueJob& job : all_of<IssueJob>(last)) {
      for (const auto& [id, other] : out) {
        if (other.subject != job.subject) continue;
        EXPECT_EQ(other.lambda, job.lambda) << "subject " << job.subject;
      }
      out.emplace(job.job, job);
    }
    for (const PingAgain& ping : all_of<PingAgain>(last)) wanted.insert(ping.subject);
    for (const SaveCursor& save : all_of<SaveCursor>(last)) saves.push_back(save);
  }
  void act() {
    switch (random() % 8) {
      case 0:
        step({share_of(static_cast<std::uint32_t>(random() % (split_whole + 1)), random() % 2 == 0)});
        break;
      case 1:
        if (random() % 16 == 0) {
          step({HostGone{host_id, false}});
          out.clear();
          take();
          host(++host_id, 50, 2);
        }
        break;
      default:
        end_one();
    }
    take();
    read_wanted();
    if (random() % 4 == 0) pass();
  }
  void end_one() {
    if (out.empty()) return;
    auto at = std::next(out.begin(), static_cast<std::ptrdiff_t>(random() % out.size()));
    const IssueJob job = at->second;
    out.erase(at);
    const bool fails = random() % 8 == 0;
    status(host_id, fails ? failed_at(job, job.events.first_sequence(), OutcomeKind::retry) : all_done(job));
  }
  void read_wanted() {
    for (SubjectId subject : std::exchange(wanted, {})) {
      request(subject, events, run_of(1, events));
      take();
    }
  }
  void pass() {
    for (const SaveCursor& save : std::exchange(saves, {})) {
      saved(save);
      take();
    }
    advance(400 * ms);
    step({Heartbeat{host_id, {}}, Tick{}});
    take();
    read_wanted();
  }

  std::mt19937_64 random;
  HostId host_id = 1;
  std::map<JobId, IssueJob> out;
  std::set<SubjectId> wanted;
  std::vector<SaveCursor> saves;
  static constexpr Sequence events = 20;
};

class VersionsShaken : public testing::TestWithParam<std::uint64_t> {};

TEST_P(VersionsShaken, NoSubjectEverRunsInBothSlots) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Shaken world(GetParam());
  for (SubjectId s = 1; s <= 20; ++s) {
    world.request(s, Shaken::events, run_of(1, Shaken::events));
    world.take();
  }
  for (int i = 0; i < 600; ++i) world.act();
  for (int i = 0; i < 5000 && world.scheduler.counters().subjects_in_memory > 0; ++i) {
    world.end_one();
    world.take();
    world.read_wanted();
    world.pass();
  }

  const Counters counters = world.scheduler.counters();
  EXPECT_EQ(counters.subjects_in_memory, 0u) << "somebody is stuck";
  EXPECT_EQ(counters.waiting_bytes, 0u);
  EXPECT_EQ(counters.timers, 0u);
  EXPECT_EQ(counters.jobs_in_flight, 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, VersionsShaken, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace cape::scheduler
