// What one topology cannot take is not asked for, and pings of it stay one; another one goes on as if alone.
#include <gtest/gtest.h>

#include <map>

#include "broker/scheduler/lambda_queues.hpp"
#include "broker/tracker/query_plan.hpp"
#include "broker/tracker/read_book.hpp"
#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {
namespace {

constexpr std::size_t payload = 10'000;
constexpr SubjectId subjects = 20;
constexpr Sequence events = 50;

// Topology 0 has no child; topology 1 is done with its jobs at once. Reads as the tracker plans them.
struct Flow {
  Flow() : w(plan()) {
    w.step({HostUp{.host = 1, .name = "h"},
            Credit{.host = 1, .lambda = 1, .jobs_max = 64, .hash = "hash", .trouble = {}}});
  }
  static SchedulerPlan plan() {
    SchedulerPlan plan;
    add_topology(plan, "blocked");
    add_topology(plan, "live");
    plan.waiting_bytes_max = 4 * bytes_of(*run_of(1, 1, payload));
    return plan;
  }
  void ping(SubjectId subject) { book.add({.subject = fmt::format("s{}", subject), .must = true}); }
  bool read_one() {
    const auto read = book.begin(0);
    if (!read) return false;
    ++reads;
    const auto subject = static_cast<SubjectId>(std::stoul(std::string(book.subject(*read).substr(1))));
    for (int i = 0; i < 100; ++i) ping(subject);  // while it is being read
    std::vector<Sequence> cursors;
    const std::optional<storage::CursorInfo> known = loaded(subject);
    for (const TopologyPosition& at : w.scheduler.positions(subject, 0, known ? &*known : nullptr))
      if (at.can_run) cursors.push_back(at.position);
    const tracker::QueryBounds bounds{.batch = 1, .batch_max = 8, .queries_max = 4};
    const auto asked = tracker::plan_queries(cursors, INT64_MAX - 1, bounds).queries;
    queries += asked.size();
    if (asked.empty()) take(w.request(subject, events, nothing(), known));
    for (const tracker::PlannedQuery& query : asked)
      take(w.request(subject, events,
                     query.start > events ? nothing() : run_of(query.start, query.start, payload),
                     loaded(subject)));
    book.finish(*read);
    return true;
  }
  std::optional<storage::CursorInfo> loaded(SubjectId subject) const {
    const auto at = stored.find(subject);
    return at == stored.end() ? std::nullopt : std::optional(at->second);
  }
  void take(Actions actions) {
    for (const Action& action : actions) {
      if (const auto* save = std::get_if<SaveCursor>(&action)) {
        stored[save->subject] = save->info;
        take(w.saved(*save));
      } else if (const auto* job = std::get_if<IssueJob>(&action)) {
        ++ran[job->lambda];
        take(w.status(1, all_done(*job)));
      } else if (const auto* again = std::get_if<PingAgain>(&action)) {
        ping(again->subject);
      }
    }
  }

  World w;
  tracker::ReadBook book{1, 1000};
  std::map<SubjectId, storage::CursorInfo> stored;
  std::map<LambdaIndex, std::size_t> ran;
  std::size_t reads = 0, queries = 0;
};

TEST(Backpressure, WhatATopologyCannotTakeIsNotAskedForWhileAnotherGoesOn) {
  Flow flow;
  for (SubjectId subject = 1; subject <= subjects; ++subject)
    for (int i = 0; i < 100; ++i) flow.ping(subject);
  EXPECT_EQ(flow.book.size(), subjects);

  while (flow.ran[1] < subjects * events && flow.reads < 100'000) ASSERT_TRUE(flow.read_one());

  EXPECT_EQ(flow.ran[1], subjects * events);
  EXPECT_EQ(flow.ran[0], 0u);
  // Each read brings one event. Of the other topology only those were asked for that it had room for.
  EXPECT_LE(flow.reads, 2 * subjects * events);
  EXPECT_LE(flow.queries, flow.reads + 4);
  EXPECT_LE(flow.book.size(), subjects);
  EXPECT_LE(flow.w.scheduler.counters().waiting_bytes, 4 * bytes_of(*run_of(1, 1, payload)));
}

}  // namespace
}  // namespace cape::scheduler
