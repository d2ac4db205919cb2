// What children use, as a whole host tells it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/child/sandbox/start.hpp"
#include "tests/host/fake_broker.hpp"
#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::FakeBroker;
using test::run_job;

std::string burning(const std::string& limits) {
  return "[topology.t]\ndomain = \"d\"\n[topology.t.lambda.guest]\nplugin = \"burns\"\nchildren_max = "
         "1\nlimits = { " +
         limits + " }\n";
}

// One event, behind which a thread goes on.
void burn(FakeBroker& broker) {
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1)});
  ASSERT_TRUE(broker.until_statuses(1));
  ASSERT_EQ(broker.statuses[1].at(0).end.kind, OutcomeKind::ok);
}
std::uint64_t cpu_ms(const FakeBroker& broker) {
  return broker.report.children.empty() ? 0 : broker.report.children[0].cpu_ms;
}

TEST(Usage, OfAThreadThatGoesOnBehindItsEventIsTold) {
  FakeBroker broker(burning("threads = 4"), {"burns"});
  ASSERT_NO_FATAL_FAILURE(burn(broker));

  EXPECT_TRUE(broker.until([&] { return cpu_ms(broker) > 0; }));
  const std::uint64_t first_ms = cpu_ms(broker);
  EXPECT_TRUE(broker.until([&] { return cpu_ms(broker) > first_ms; })) << "and rises without an event";
  EXPECT_GT(broker.report.children.at(0).resident_bytes, 0u);
}

TEST(Usage, OfTheProcessorIsBoundedByItsLimit) {
  const child::CgroupPlace& groups = child::machine_facts().value().cgroups;
  if (groups.version == 0) GTEST_SKIP() << groups.missing;
  FakeBroker broker(burning("threads = 4, cpu = 0.1"), {"burns"});
  ASSERT_NO_FATAL_FAILURE(burn(broker));
  ASSERT_TRUE(broker.until([&] { return cpu_ms(broker) > 0; }));
  const std::int64_t begun_ns = boot_ns();
  const std::uint64_t begun_ms = cpu_ms(broker);

  // However slow the machine is, it uses no more than its share of the time that passes.
  ASSERT_TRUE(broker.until([&] { return boot_ns() - begun_ns > 5 * ns_per_s && cpu_ms(broker) > begun_ms; }));

  const auto passed_ms = static_cast<double>((boot_ns() - begun_ns) / ns_per_ms);
  EXPECT_LE(static_cast<double>(cpu_ms(broker) - begun_ms), 0.2 * passed_ms + 300);
}

}  // namespace
}  // namespace cape::host
