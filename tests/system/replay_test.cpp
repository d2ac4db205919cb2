// What a real broker's scheduler decided is decided again from its recorded inputs, byte for byte.
#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>

#include "broker/recording.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/scheduler/trace.hpp"
#include "core/config/shadow.hpp"
#include "tests/system/history.hpp"

namespace cape::test {
namespace {

using Actions = std::vector<scheduler::Action>;

Actions replay(const Config& config, const broker::Recording& recording) {
  scheduler::Scheduler scheduler(scheduler::make_plan(config), recording.epoch);
  Actions all;
  for (const broker::RecordedStep& step : recording.steps)
    for (scheduler::Action& action : scheduler.step(step.now, step.inputs)) all.push_back(std::move(action));
  return all;
}

// As the guests write it: "subject sequence attempt fence".
std::set<std::string> issued(const Actions& actions) {
  std::set<std::string> lines;
  for (const scheduler::Action& action : actions)
    if (const auto* job = std::get_if<scheduler::IssueJob>(&action))
      for (std::uint32_t i = 0; i < job->events.count; ++i)
        lines.insert(fmt::format("{} {} {} {}", job->name, job->events[i].sequence, i == 0 ? job->attempt : 0,
                                 job->job));
  return lines;
}

class Recording : public testing::Test {
 protected:
  void run() {
    site_.configure(R"(
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
[topology.woven]
domain = "history"
[topology.woven.lambda.up]
plugin = "weave"
config = { name = "up" }
grant  = { state = true }
[topology.woven.lambda.down]
plugin = "record"
needs  = ["up"]
grant  = { state = true }
)");
    for (const char* plugin : {"retry_n", "record", "weave"}) site_.add_plugin(plugin);
    ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history_jsonl(2000)).exit, 0);
    ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "60s", "--record", "run.rec"})) << site_.up_log();
    ASSERT_EQ(site_.wait_up(std::chrono::seconds(70)), 0) << site_.up_log();
    const auto config = load_config(site_.dir() / "cape.toml");
    ASSERT_TRUE(config.has_value());
    config_ = with_shadows(*config);
    auto recording = broker::read_recording((site_.dir() / "run.rec").string());
    ASSERT_TRUE(recording.has_value()) << recording.error().message;
    recording_ = *std::move(recording);
  }
  std::vector<std::string> ran(const std::string& lambda) const {
    return lines_of(site_.data() / "state" / lambda / "record.log");
  }

  Site site_;
  Config config_;
  broker::Recording recording_;
};

TEST_F(Recording, OfARealRunGivesTheSameActionsEachTimeItIsReplayed) {
  ASSERT_NO_FATAL_FAILURE(run());

  const Actions first = replay(config_, recording_), second = replay(config_, recording_);

  EXPECT_EQ(scheduler::to_text(first), scheduler::to_text(second));
  EXPECT_GE(first.size(), 100u) << "the run was too small to tell anything";
}

TEST_F(Recording, GivesTheJobsThatRanWithWhatTheyWereGiven) {
  ASSERT_NO_FATAL_FAILURE(run());

  const Actions actions = replay(config_, recording_);

  const std::set<std::string> jobs = issued(actions);
  for (const char* lambda : {"seen/record", "late/run", "woven/down"}) {
    const std::vector<std::string> lines = ran(lambda);
    EXPECT_GE(lines.size(), 2000u) << lambda;
    for (const std::string& line : lines) ASSERT_TRUE(jobs.contains(line)) << lambda << ": " << line;
  }
  std::size_t given = 0;
  for (const scheduler::Action& action : actions)
    if (const auto* job = std::get_if<scheduler::IssueJob>(&action); job && !job->inputs.empty())
      for (std::uint32_t i = 0; i < job->events.count; ++i, ++given) {
        const OutputPtr& input = job->inputs[0].outputs.at(i);
        ASSERT_TRUE(input != nullptr);
        ASSERT_EQ(*input, fmt::format("up:{}<>", job->events[i].sequence));
      }
  EXPECT_GE(given, 2000u);
}

}  // namespace
}  // namespace cape::test
