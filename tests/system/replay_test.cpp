// What a real broker's scheduler decided is decided again from its recorded inputs, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>

#include "broker/recording.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/scheduler/trace.hpp"
#include "core/config/shadow.hpp"
#include "tests/system/history.hpp"

namespace cape::test {
namespace {

std::string replay(const Config& config, const broker::Recording& recording) {
  scheduler::Scheduler scheduler(scheduler::make_plan(config), recording.epoch);
  std::string trace;
  for (const broker::RecordedStep& step : recording.steps)
    for (const scheduler::Action& action : scheduler.step(step.now, step.inputs)) trace += scheduler::to_text(action) + "\n";
  return trace;
}

TEST(Recording, OfARealRunGivesTheSameActionsEachTimeItIsReplayed) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = { first = "1ms", max = "2ms" }
[topology.seen.lambda.record]
plugin = "retry_n"
config = { n = 1, subject = "src" }
grant  = { state = true }
[topology.late]
domain = "history"
mode   = "pipelined"
after  = ["seen"]
batch_events = 4
lambda.run = { plugin = "record", grant = { state = true } }
)");
  site.add_plugin("retry_n");
  site.add_plugin("record");
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(2000)).exit, 0);
  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "60s", "--record", "run.rec"})) << site.up_log();
  ASSERT_EQ(site.wait_up(std::chrono::seconds(70)), 0) << site.up_log();
  const auto config = load_config(site.dir() / "cape.toml");
  ASSERT_TRUE(config.has_value());
  const auto recording = broker::read_recording((site.dir() / "run.rec").string());
  ASSERT_TRUE(recording.has_value()) << recording.error().message;

  const std::string first = replay(with_shadows(*config), *recording);
  const std::string second = replay(with_shadows(*config), *recording);

  EXPECT_EQ(first, second);
  EXPECT_GE(std::ranges::count(first, '\n'), 100) << "the run was too small to tell anything";
}

}  // namespace
}  // namespace cape::test
