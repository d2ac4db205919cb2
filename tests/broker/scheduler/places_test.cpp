// A host that takes a number of jobs in all: its places go to topologies by weight.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

SchedulerPlan of_weights(const std::vector<std::uint32_t>& weights) {
  SchedulerPlan plan;
  for (std::size_t i = 0; i < weights.size(); ++i)
    add_topology(plan, fmt::format("t{}", i)).weight = weights[i];
  return plan;
}

struct Places {
  explicit Places(const std::vector<std::uint32_t>& weights, std::uint32_t jobs_max)
      : w(of_weights(weights)) {
    std::vector<Input> inputs{HostUp{.host = 1, .name = "h", .jobs_max = jobs_max}};
    for (LambdaIndex lambda = 0; lambda < weights.size(); ++lambda)
      inputs.push_back(Credit{.host = 1, .lambda = lambda, .jobs_max = 64, .hash = "hash", .trouble = {}});
    w.step(std::move(inputs));
  }
  // A subject that is behind in these topologies alone.
  void add(SubjectId subject, const std::vector<TopologyIndex>& behind, std::size_t of) {
    storage::CursorInfo stored{.latest = 1, .topologies = {}};
    for (TopologyIndex t = 0; t < of; ++t)
      stored.topologies.push_back(
          {.topology = fmt::format("t{}", t),
           .lambdas = {{.lambda = "run", .cursor = std::ranges::find(behind, t) == behind.end() ? 1 : 0}}});
    take(w.request(subject, 1, run_of(1, 1), stored));
  }
  void take(const Actions& actions) {
    for (const IssueJob& job : all_of<IssueJob>(actions)) {
      ++issued[job.lambda];
      out[job.lambda].push_back(job);
    }
  }
  void end_one(LambdaIndex lambda) {
    const IssueJob job = out[lambda].front();
    out[lambda].erase(out[lambda].begin());
    take(w.status(1, all_done(job)));
  }
  std::size_t out_in_all() {
    std::size_t all = 0;
    for (const auto& [lambda, jobs] : out) all += jobs.size();
    return all;
  }

  World w;
  std::map<LambdaIndex, std::size_t> issued;
  std::map<LambdaIndex, std::vector<IssueJob>> out;
};

TEST(SchedulerPlaces, AHostNeverHasMoreJobsThanItTakesInAll) {
  Places places({1, 1, 1}, 5);
  for (SubjectId subject = 1; subject <= 30; ++subject) places.add(subject, {0, 1, 2}, 3);
  EXPECT_EQ(places.out_in_all(), 5u);
  for (int i = 0; i < 60; ++i) {
    places.end_one(places.out[static_cast<LambdaIndex>(i % 3)].empty() ? 0 : static_cast<LambdaIndex>(i % 3));
    EXPECT_EQ(places.out_in_all(), 5u) << i;
  }
}

TEST(SchedulerPlaces, FreedPlacesGoToTopologiesByWeight) {
  Places places({1, 2, 5}, 8);
  for (SubjectId subject = 1; subject <= 1000; ++subject) places.add(subject, {0, 1, 2}, 3);
  places.issued.clear();
  for (int round = 0; round < 100; ++round)  // as if all jobs took as long
    for (LambdaIndex lambda = 0; lambda < 3; ++lambda)
      for (std::size_t n = places.out[lambda].size(); n-- > 0;) places.end_one(lambda);

  EXPECT_EQ(places.out[0].size(), 1u);
  EXPECT_EQ(places.out[1].size(), 2u);
  EXPECT_EQ(places.out[2].size(), 5u);
  EXPECT_NEAR(static_cast<double>(places.issued[2]) / static_cast<double>(places.issued[0]), 5, 0.5);
  EXPECT_NEAR(static_cast<double>(places.issued[1]) / static_cast<double>(places.issued[0]), 2, 0.2);
}

TEST(SchedulerPlaces, WhatATopologyWithoutWorkDoesNotUseOthersHave) {
  Places places({1, 9}, 10);
  for (SubjectId subject = 1; subject <= 30; ++subject) places.add(subject, {0}, 2);

  EXPECT_EQ(places.out[0].size(), 10u);
}

TEST(SchedulerPlaces, ATopologyThatComesLaterGetsItsShareAsPlacesAreFreed) {
  Places places({1, 1}, 10);
  for (SubjectId subject = 1; subject <= 100; ++subject) places.add(subject, {0}, 2);
  for (SubjectId subject = 101; subject <= 200; ++subject) places.add(subject, {1}, 2);
  ASSERT_EQ(places.out[0].size(), 10u);

  for (int i = 0; i < 5; ++i) places.end_one(0);

  EXPECT_EQ(places.out[0].size(), 5u);
  EXPECT_EQ(places.out[1].size(), 5u);
}

// Its jobs never end; the other's do at once.
TEST(SchedulerPlaces, ATopologyWhoseJobsTakeLongDoesNotComeToHoldAllPlaces) {
  Places places({1, 1}, 10);
  for (SubjectId subject = 1; subject <= 500; ++subject) places.add(subject, {0, 1}, 2);
  for (int i = 0; i < 300; ++i) places.end_one(1);

  EXPECT_EQ(places.out[0].size(), 5u);
  EXPECT_EQ(places.out[1].size(), 5u);
}

TEST(SchedulerPlaces, LambdasOfOneTopologyTakeTurns) {
  SchedulerPlan plan;
  add_topology(plan, "t", {"a", "b"});
  World w(plan);
  w.step({HostUp{.host = 1, .name = "h", .jobs_max = 4},
          Credit{.host = 1, .lambda = 0, .jobs_max = 64, .hash = "hash", .trouble = {}},
          Credit{.host = 1, .lambda = 1, .jobs_max = 64, .hash = "hash", .trouble = {}}});
  std::map<LambdaIndex, int> issued;
  for (SubjectId subject = 1; subject <= 10; ++subject) {
    w.request(subject, 1, run_of(1, 1));
    for (const IssueJob& job : all_of<IssueJob>(w.last)) ++issued[job.lambda];
  }
  EXPECT_EQ(issued[0], 2);
  EXPECT_EQ(issued[1], 2);
}

}  // namespace
}  // namespace cape::scheduler
