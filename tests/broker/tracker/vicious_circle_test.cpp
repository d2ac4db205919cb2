// The circle: cursors that lie apart cost a query each, so an answer comes later, and meanwhile more events have
// come than it brings; so all fall behind further. A model of one busy subject, in virtual time: a source that
// answers one query after the other, and topologies that are done with what they get at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "broker/scheduler/backoff.hpp"
#include "broker/tracker/query_plan.hpp"

namespace cape::tracker {
namespace {

constexpr std::uint32_t batch = 10;
constexpr double query_ms = 1, event_ms = 0.01, events_a_ms = 1;
constexpr int topologies = 70;

using Plan = std::function<std::vector<PlannedQuery>(const std::vector<Sequence>& cursors, Sequence latest)>;

struct Source {
  explicit Source(Sequence apart) {
    for (int i = 0; i < topologies; ++i) cursors.push_back(1'000'000 - i * apart);
  }
  Sequence latest() const { return 1'000'000 + static_cast<Sequence>(now_ms * events_a_ms); }
  Sequence fresh_lag() const { return latest() - std::ranges::max(cursors); }
  Sequence worst_lag() const { return latest() - std::ranges::min(cursors); }

  void read(const Plan& plan) {
    for (const PlannedQuery& query : plan(cursors, latest())) {
      const Sequence end = std::min(latest(), query.start - 1 + Sequence{query.events_max});
      now_ms += query_ms + event_ms * static_cast<double>(std::max<Sequence>(0, end - query.start + 1));
      for (Sequence& cursor : cursors)
        if (cursor + 1 >= query.start && cursor < end) cursor = end;
    }
    now_ms += 0.1;  // until the next ping
  }

  double now_ms = 0;
  std::vector<Sequence> cursors;
};

std::vector<PlannedQuery> naive(const std::vector<Sequence>& cursors, Sequence latest) {
  return plan_by_vicinity(cursors, latest, batch);
}

Plan bounded(std::size_t queries_max) {
  return [queries_max, reads = std::uint64_t{0}](const std::vector<Sequence>& cursors, Sequence latest) mutable {
    return plan_queries(cursors, latest,
                        {.batch = batch, .batch_max = 8 * batch, .queries_max = queries_max, .turn = scheduler::splitmix64(++reads)})
        .queries;
  };
}

TEST(ViciousCircle, AQueryForEachGroupHoldsWhileAllAreTogether) {
  Source source(0);
  while (source.now_ms < 60'000) source.read(naive);
  EXPECT_LE(source.worst_lag(), 2 * batch);
}

TEST(ViciousCircle, AQueryForEachGroupLetsAllFallBehindOnceTheyAreApart) {
  Source source(200);
  const Sequence worst = source.worst_lag();
  while (source.now_ms < 60'000) source.read(naive);
  EXPECT_GT(source.fresh_lag(), 10'000);  // also what never lagged before
  EXPECT_GT(source.worst_lag(), worst + 10'000);
}

TEST(ViciousCircle, IsGoneWithQueriesThatAreBounded) {
  for (const std::size_t queries_max : {2, 3, 4}) {
    Source source(200);
    const Plan plan = bounded(queries_max);
    Sequence fresh_worst = 0;
    while (source.now_ms < 60'000) {
      source.read(plan);
      fresh_worst = std::max(fresh_worst, source.fresh_lag());
    }
    EXPECT_LE(fresh_worst, 2 * batch) << queries_max;
    EXPECT_LE(source.worst_lag(), 2 * batch) << queries_max;
  }
}

}  // namespace
}  // namespace cape::tracker
