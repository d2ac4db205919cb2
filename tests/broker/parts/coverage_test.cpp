// What is proven, and what is an exception: from what a source has and what is stored, and nothing else.
#include "broker/coverage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "broker/coverage_report.hpp"
#include "tests/fakes/memory_store.hpp"

namespace cape::broker {
namespace {

using storage::CursorInfo;
using storage::LambdaCursor;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t minute_ns = 60 * ns_per_s;

// audit, and index behind it.
Config two_topologies() {
  Config config;
  config.domains.push_back({.name = "history", .source = "journal", .grant = {}, .limits = {}});
  TopologyConfig audit;
  audit.name = "audit";
  audit.lambdas.resize(1);
  audit.lambdas[0].name = "run";
  TopologyConfig index = audit;
  index.name = "index";
  index.after = {0};
  config.topologies = {audit, index};
  return config;
}

LambdaCursor at(Sequence cursor) {
  LambdaCursor lambda;
  lambda.lambda = "run";
  lambda.cursor = cursor;
  return lambda;
}
LambdaCursor failing(Sequence cursor, std::int64_t since_ns, bool parked = false) {
  LambdaCursor lambda = at(cursor);
  lambda.failed_sequence = cursor + 1;
  lambda.attempts = 3;
  lambda.failing_since_wall_ns = since_ns;
  lambda.parked = parked;
  lambda.reason = "no";
  return lambda;
}
CursorInfo info(Sequence latest, LambdaCursor audit, LambdaCursor index) {
  return {.latest = latest, .topologies = {{"audit", {std::move(audit)}}, {"index", {std::move(index)}}}};
}

class CoverageTest : public testing::Test {
 protected:
  // One walk over what the source has, by subject.
  void walk(const std::map<std::string, Sequence>& source) {
    coverage.begin_walk(0, now);
    for (const auto& [subject, latest] : source) {
      const auto stored = store.load("history", subject);
      coverage.see(0, subject, latest, *stored ? &(**stored).info : nullptr);
    }
    coverage.end_walk(0, now);
  }
  void advance(std::int64_t ns) {
    now.boot_ns += ns;
    now.wall_ns += ns;
  }
  storage::CoverageRow row(const std::string& topology = "audit") const {
    for (const storage::CoverageRow& row : coverage.rows())
      if (row.topology == topology) return row;
    return {};
  }
  std::optional<CoverageException> exception(const CursorInfo& info, TopologyIndex topology = 0) const {
    return exception_of(config, topology, info, info.latest, by_name(store.paused), now.wall_ns);
  }

  Config config = two_topologies();
  test::MemoryStore store;
  Coverage coverage{config, store};
  Now now{.boot_ns = 1000 * ns_per_s, .wall_ns = 1'700'000'000 * ns_per_s};
};

TEST_F(CoverageTest, AWalkThatFindsEverythingAtItsLatestProvesUpToItsBegin) {
  store.put("history", "a", info(5, at(5), at(5)));
  const std::int64_t begun_ns = now.wall_ns;
  coverage.begin_walk(0, now);
  advance(minute_ns);  // a long one
  coverage.see(0, "a", 5, &store.records[{"history", "a"}].info);

  coverage.end_walk(0, now);

  EXPECT_EQ(row().proven_wall_ns, begun_ns);
  EXPECT_EQ(row().subjects, 1u);
  EXPECT_EQ(row().exceptions, 0u);
}

TEST_F(CoverageTest, WhatWasOnItsWayIsProvenOnceItsCursorIsStored) {
  store.put("history", "a", info(5, at(3), at(3)));
  const std::int64_t begun_ns = now.wall_ns;
  walk({{"a", 5}});
  EXPECT_THAT(coverage.rows(), IsEmpty());

  store.put("history", "a", info(6, at(5), at(4)));  // audit has come to what was found, index has not
  advance(ns_per_s);
  coverage.step(now);
  EXPECT_EQ(row("audit").proven_wall_ns, begun_ns);
  EXPECT_THAT(coverage.rows(), SizeIs(1));

  store.put("history", "a", info(6, at(6), at(5)));
  advance(ns_per_s);
  coverage.step(now);
  EXPECT_EQ(row("index").proven_wall_ns, begun_ns);
  EXPECT_FALSE(coverage.next_deadline());
}

TEST_F(CoverageTest, ASubjectThatTheStoreDoesNotKnowIsNotProven) {
  walk({{"a", 1}});
  EXPECT_THAT(coverage.rows(), IsEmpty());

  advance(ns_per_s);
  coverage.step(now);
  EXPECT_THAT(coverage.rows(), IsEmpty());
}

TEST_F(CoverageTest, AProofThatWaitsIsNotReplacedByAWalkThatLeavesMoreBehind) {
  store.put("history", "a", info(5, at(4), at(4)));
  const std::int64_t begun_ns = now.wall_ns;
  walk({{"a", 5}});
  advance(ns_per_s);
  walk({{"a", 9}});

  store.put("history", "a", info(9, at(5), at(5)));
  advance(ns_per_s);
  coverage.step(now);

  EXPECT_EQ(row().proven_wall_ns, begun_ns) << "else a busy subject would keep all from being proven";
}

TEST_F(CoverageTest, ASubjectThatIsGoneFromItsSourceHoldsNoProofUp) {
  store.put("history", "a", info(4, at(4), at(4)));
  store.put("history", "b", info(4, at(4), at(4)));
  const std::int64_t begun_ns = now.wall_ns;
  walk({{"a", 5}, {"b", 4}});
  advance(ns_per_s);

  walk({{"b", 6}});  // busy, so this walk proves nothing by itself

  EXPECT_EQ(row().proven_wall_ns, begun_ns);
}

TEST_F(CoverageTest, AWalkThatLeavesTooMuchBehindProvesNothingAndTheNextOneMay) {
  std::map<std::string, Sequence> source;
  for (std::size_t i = 0; i <= Coverage::pending_max; ++i) source["s" + std::to_string(i)] = 1;
  walk(source);
  EXPECT_FALSE(coverage.next_deadline());

  for (const auto& [subject, latest] : source) store.put("history", subject, info(1, at(1), at(1)));
  advance(ns_per_s);
  walk(source);

  EXPECT_EQ(row().proven_wall_ns, now.wall_ns);
  EXPECT_EQ(row().subjects, source.size());
}

TEST_F(CoverageTest, AWalkThatWasAbandonedProvesNothing) {
  store.put("history", "a", info(5, at(5), at(5)));
  coverage.begin_walk(0, now);
  coverage.abandon_walk(0);
  coverage.end_walk(0, now);

  EXPECT_THAT(coverage.rows(), IsEmpty());
}

TEST_F(CoverageTest, ExceptionsAreCountedAndDoNotHoldTheProofUp) {
  store.put("history", "a", info(5, failing(3, now.wall_ns - 1, true), at(3)));
  store.put("history", "b", info(5, failing(3, now.wall_ns - 11 * minute_ns), at(3)));
  store.put("history", "c", info(5, at(5), at(5)));

  walk({{"a", 5}, {"b", 5}, {"c", 5}});

  EXPECT_EQ(row("audit").exceptions, 2u);
  EXPECT_EQ(row("audit").stuck, 1u);
  EXPECT_EQ(row("index").exceptions, 2u) << "it comes after audit";
  EXPECT_EQ(row("index").stuck, 0u);
}

TEST_F(CoverageTest, AnEventThatCameTooLateIsAnExceptionOfWhatIsUpToDate) {
  LambdaCursor late = at(5);
  late.late = {.events = {{.sequence = 3, .reason = {}}}, .more = 2, .more_from = 4};
  store.put("history", "a", info(5, late, at(5)));

  walk({{"a", 5}});

  EXPECT_EQ(row("audit").exceptions, 1u);
  EXPECT_EQ(row("index").exceptions, 0u) << "it did not miss any";
  const auto found = exception(info(5, late, at(5)));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->cause, ExceptionCause::late);
  EXPECT_EQ(found->sequence, 3);
  EXPECT_EQ(found->late, 3u);
  EXPECT_THAT(found->reason, testing::HasSubstr("3 events appeared below what the source had given: rewind"));
}

TEST_F(CoverageTest, WhatElseStopsASubjectIsToldBeforeItsLateEvents) {
  LambdaCursor parked = failing(3, now.wall_ns - 1, true);
  parked.late = {.events = {{.sequence = 2, .reason = {}}}};

  const auto found = exception(info(5, parked, at(3)));

  ASSERT_TRUE(found);
  EXPECT_EQ(found->cause, ExceptionCause::parked);
  EXPECT_EQ(found->late, 1u);
  EXPECT_FALSE(exception(info(5, at(3), at(3)))) << "it goes on by itself";
}

TEST_F(CoverageTest, OneThatFailsBecomesAnExceptionWhenItHasFailedForTooLong) {
  store.put("history", "a", info(5, failing(3, now.wall_ns - 9 * minute_ns), at(3)));
  walk({{"a", 5}});
  EXPECT_THAT(coverage.rows(), IsEmpty());

  advance(2 * minute_ns);
  coverage.step(now);

  EXPECT_EQ(row("audit").stuck, 1u);
}

TEST_F(CoverageTest, WhatIsStoredIsWhatChanged) {
  store.put("history", "a", info(5, at(5), at(5)));
  walk({{"a", 5}});
  EXPECT_THAT(coverage.take_rows(now.boot_ns), SizeIs(2));

  advance(ns_per_s);
  walk({{"a", 5}});
  EXPECT_THAT(coverage.take_rows(now.boot_ns), IsEmpty()) << "at rest there is nothing to write";
  advance(Coverage::store_after_ns);
  EXPECT_THAT(coverage.take_rows(now.boot_ns), SizeIs(2));

  store.put("history", "a", info(5, failing(3, now.wall_ns - 1, true), at(5)));
  advance(ns_per_s);
  walk({{"a", 5}});
  EXPECT_THAT(coverage.take_rows(now.boot_ns), SizeIs(1)) << "an exception is news";
}

TEST_F(CoverageTest, EachCauseOfAnExceptionIsNamed) {
  EXPECT_FALSE(exception(info(5, at(5), at(5))));
  EXPECT_FALSE(exception(info(5, at(3), at(3)))) << "it goes on by itself";
  EXPECT_FALSE(exception(info(5, failing(3, now.wall_ns - minute_ns), at(3)))) << "it may yet succeed";

  const auto parked = exception(info(5, failing(3, now.wall_ns - 11 * minute_ns, true), at(3)));
  ASSERT_TRUE(parked);
  EXPECT_EQ(parked->cause, ExceptionCause::parked);
  EXPECT_TRUE(parked->stuck);
  EXPECT_EQ(parked->sequence, 4);
  EXPECT_EQ(parked->attempts, 3u);
  const auto stuck = exception(info(5, failing(3, now.wall_ns - 11 * minute_ns), at(3)));
  EXPECT_EQ(stuck->cause, ExceptionCause::failing);
  const auto waits = exception(info(5, failing(3, 1), at(3)), 1);
  EXPECT_EQ(waits->cause, ExceptionCause::waiting_after);
  EXPECT_FALSE(waits->stuck);
  CursorInfo held = info(5, at(3), at(3));
  held.topologies[0].paused = true;
  held.topologies[0].pause_reason = "we move";
  EXPECT_EQ(exception(held)->cause, ExceptionCause::paused);
  EXPECT_EQ(exception(held)->reason, "we move");
  store.paused = {{.topology = "index", .paused = true, .reason = "all of it"}};
  EXPECT_EQ(exception(info(5, at(5), at(3)), 1)->reason, "all of it");
}

TEST_F(CoverageTest, ATopologyWithoutARecordStandsWhereItStarts) {
  const CursorInfo started{.latest = 9, .topologies = {{"audit", {at(9)}}}, .starts = {{"index", 7}}};
  EXPECT_EQ(stored_cursor(config.topologies[1], started), 7);
  config.topologies[1].start = {StartPosition::Kind::sequence, 4};
  EXPECT_EQ(stored_cursor(config.topologies[1], {.latest = 9, .topologies = {}}), 3);
}

TEST_F(CoverageTest, TheReportHasAPageOfExceptionsAndSaysWhereToGoOn) {
  for (int i = 0; i < 5; ++i)
    store.put("history", "s" + std::to_string(i), info(5, failing(3, now.wall_ns - 1, true), at(5)), true);
  store.put("history", "t", info(5, at(3), at(3)), true);
  const std::vector<storage::CoverageRow> rows{{.domain = "history",
                                                .topology = "audit",
                                                .proven_wall_ns = now.wall_ns - 2 * ns_per_s,
                                                .subjects = 6,
                                                .exceptions = 5}};

  const auto first = coverage_report(config, store, rows, {.topology = "audit", .limit = 3}, now.wall_ns);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT((*first)["exceptions"], SizeIs(3));
  EXPECT_EQ((*first)["coverage"][0]["unproven_for_ms"], 2000);
  EXPECT_EQ((*first)["coverage"][0]["proven_to"], "2023-11-14T22:13:18.000Z");
  const auto rest = coverage_report(
      config, store, rows, {.topology = "audit", .limit = 3, .after = (*first)["next"].get<SubjectId>()},
      now.wall_ns);
  EXPECT_THAT((*rest)["exceptions"], SizeIs(2));
  EXPECT_TRUE((*rest)["next"].is_null());
  const auto all = coverage_report(config, store, {}, {.topology = ""}, now.wall_ns);
  EXPECT_TRUE((*all)["coverage"][1]["proven_to"].is_null());
  EXPECT_EQ(coverage_report(config, store, {}, {.topology = "none"}, now.wall_ns).error().code,
            ErrorCode::not_found);
}

}  // namespace
}  // namespace cape::broker
