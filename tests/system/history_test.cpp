// A real history through the whole path: every event, in order, to each topology.
#include <gtest/gtest.h>

#include "tests/system/history.hpp"

namespace cape::test {
namespace {

constexpr const char* two_topologies = R"(
[domain.history]
source = "journal"
[topology.audit]
domain = "history"
[topology.audit.lambda.write]
plugin = "audit_log"
grant  = { state = true }
[topology.ledger]
domain = "history"
[topology.ledger.lambda.write]
plugin = "audit_log"
grant  = { state = true }
)";

class History : public ::testing::TestWithParam<Arrangement> {};

TEST_P(History, ReachesEveryTopologyOnceAndInOrder) {
  Site site(GetParam());
  site.configure(two_topologies);
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl()).exit, 0);

  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "120s"})) << site.up_log();
  EXPECT_EQ(site.wait_up(std::chrono::seconds(130)), 0) << site.up_log();

  for (const char* topology : {"audit", "ledger"}) {
    OrderChecker checker = history_checker();
    check(checker, audited(site.data() / "state" / topology / "write"));
    checker.finish();
    EXPECT_TRUE(checker.mistakes().empty()) << topology << "\n" << text_of(checker);
    EXPECT_EQ(checker.repeats(), 0u) << topology;
  }
}

TEST_P(History, IsNotRunAgainByALaterStart) {
  Site site(GetParam());
  site.configure(two_topologies);
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(2000)).exit, 0);

  for (int start = 0; start < 2; ++start) {
    ASSERT_TRUE(site.up({"--until-idle", "--timeout", "60s"})) << site.up_log();
    ASSERT_EQ(site.wait_up(std::chrono::seconds(70)), 0) << site.up_log();
  }

  EXPECT_EQ(audited(site.data() / "state" / "audit" / "write").size(), 2000u);
  EXPECT_EQ(audited(site.data() / "state" / "ledger" / "write").size(), 2000u);
}

INSTANTIATE_TEST_SUITE_P(Run, History, ::testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& run) { return name_of(run.param); });

}  // namespace
}  // namespace cape::test
