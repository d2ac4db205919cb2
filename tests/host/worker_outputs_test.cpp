// Outputs of a job whose events run in several children, and what they may come to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/worker/held_job.hpp"
#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::WorkerBench;
using ::testing::ElementsAre;

OutputPtr output(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

std::vector<std::string> texts(const std::vector<OutputPtr>& outputs) {
  std::vector<std::string> texts;
  for (const OutputPtr& one : outputs) texts.push_back(one ? *one : "-");
  return texts;
}

JobArrived wants_outputs(JobArrived arrived, std::uint64_t bytes_max) {
  arrived.job.outputs_bytes_max = bytes_max;
  return arrived;
}

ChildReported with_outputs(ChildReported report, std::vector<OutputPtr> outputs) {
  std::get<child::ChildJobDone>(report.report).status.outputs = std::move(outputs);
  return report;
}

wire::JobStatus status_of(WorkerBench& bench, ChildReported report) {
  std::vector<Input> inputs;
  inputs.emplace_back(std::move(report));
  for (const Action& action : bench.worker.step(bench.now_ns, inputs))
    if (const auto* told = std::get_if<ReportStatus>(&action)) return told->status;
  ADD_FAILURE() << "no status";
  return {};
}

wire::RunJob given(WorkerBench& bench, ChildReported report) {
  std::vector<Input> inputs;
  inputs.emplace_back(std::move(report));
  for (const Action& action : bench.worker.step(bench.now_ns, inputs))
    if (const auto* give = std::get_if<GiveJob>(&action)) return *give->job;
  ADD_FAILURE() << "no job was given";
  return {};
}

TEST(WorkerOutputs, StatusCarriesThoseOfBothChildrenThatRanTheJob) {
  WorkerBench bench;
  bench.open_with_child();
  JobArrived arrived = wants_outputs(bench.job(5, "s", 1, 4), 1000);
  arrived.job.inputs = {{.lambda = "up", .outputs = {output("1"), output("2"), output("3"), output("4")}}};
  bench.step(std::move(arrived));
  wire::JobStatus left = WorkerBench::untouched(5, 3, 2, 2);
  left.outputs = {output("a"), nullptr};
  bench.step(WorkerBench::ended(1, OutcomeKind::exited, {left}));

  const wire::RunJob rest = given(bench, WorkerBench::ready(2));
  EXPECT_EQ(rest.events.first_sequence(), 3);
  EXPECT_THAT(texts(rest.inputs.at(0).outputs), ElementsAre("3", "4"));
  EXPECT_EQ(rest.outputs_bytes_max, 999u);
  const auto status = status_of(bench, with_outputs(bench.done(2, 5, 4, 2), {nullptr, output("d")}));

  EXPECT_EQ(status.events_done, 4u);
  EXPECT_THAT(texts(status.outputs), ElementsAre("a", "-", "-", "d"));
}

TEST(WorkerOutputs, JobThatGivesMoreThanItMayEndsBehindTheEventWithWhichItDoes) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(wants_outputs(bench.job(5, "s", 1, 4), 5));

  const auto status = status_of(
      bench, with_outputs(bench.done(1, 5, 4, 4), {output("aaa"), output("bbb"), output("c"), nullptr}));

  EXPECT_EQ(status.end.kind, OutcomeKind::cancelled);
  EXPECT_EQ(status.done_to, 2);
  EXPECT_EQ(status.events_done, 2u);
  EXPECT_EQ(status.failed_sequence, 3);
  EXPECT_TRUE(status.started) << "it has run: whoever runs it again must be told";
  EXPECT_THAT(texts(status.outputs), ElementsAre("aaa", "bbb"));
}

TEST(WorkerOutputs, OneEventsOutputIsAlwaysTaken) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(wants_outputs(bench.job(5), 1));

  const auto status = status_of(bench, with_outputs(bench.done(1, 5), {output(std::string(100, 'x'))}));

  EXPECT_EQ(status.end.kind, OutcomeKind::ok);
  EXPECT_EQ(status.outputs.at(0)->size(), 100u);
}

TEST(WorkerOutputs, JobThatTheChildEndedBecauseItIsFullIsNotRunOnHere) {
  WorkerBench bench;
  bench.open_with_child();
  bench.step(wants_outputs(bench.job(5, "s", 1, 4), 5));
  ChildReported full = WorkerBench::gave_back(1, 5, 3);
  auto& part = std::get<child::ChildJobDone>(full.report).status;
  part.done_to = 2;
  part.events_done = 2;

  const auto status = status_of(bench, with_outputs(std::move(full), {output("aaa"), output("bbb")}));

  EXPECT_EQ(status.end.kind, OutcomeKind::cancelled);
  EXPECT_EQ(status.events_done, 2u);
  EXPECT_EQ(status.failed_sequence, 3);
  EXPECT_FALSE(status.started);
  EXPECT_THAT(texts(status.outputs), ElementsAre("aaa", "bbb"));
}

}  // namespace
}  // namespace cape::host
