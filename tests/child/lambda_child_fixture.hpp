// tests/child/lambda_child_fixture.hpp
// What the tests of LambdaChild share: a child over the real runner, and jobs for it.
#pragma once

#include <gmock/gmock.h>

#include "host/child/doorbell.hpp"
#include "host/child/over_process.hpp"
#include "tests/child/driver.hpp"
#include "tests/child/either_way.hpp"

namespace cape::child {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Reports = std::vector<LambdaReport>;

class LambdaChildTest : public testing::Test {
 protected:
  void start(const std::string& plugin, const std::string& config = "{}") {
    ChildSpec spec = spec_of(plugin, ChildKind::lambda);
    spec.config_json = config;
    start(spec);
  }
  void start(const ChildSpec& spec) {
    Result<std::unique_ptr<LambdaChild>> started =
        start_either_way([&](Spare* spare) { return start_lambda_child(spec, spare); });
    ASSERT_TRUE(started) << started.error().message;
    child_ = std::move(*started);
  }
  // The same, with a look at the words that the child shares.
  void start_over_process(const std::string& plugin) {
    const ChildSpec spec = spec_of(plugin, ChildKind::lambda);
    Result<std::unique_ptr<ChildProcess>> process =
        start_either_way([&](Spare* spare) { return ChildProcess::start(spec, spare); });
    ASSERT_TRUE(process) << process.error().message;
    process_ = process->get();
    child_ = make_lambda_child(spec, std::move(*process));
  }
  void wait_asleep() {
    const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
    while (process_->response().child_sleeps.value.load() != sleeps_for_request)
      ASSERT_LT(boot_ns(), deadline_ns) << "it never slept";
  }
  void give(const wire::RunJob& job, bool singly = false) {
    ASSERT_TRUE(child_->submit(job, singly));
    child_->wake();
  }
  std::vector<ChildJobDone> wait_done(std::size_t count) {
    const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildJobDone, LambdaReport>(count));
    return pick<ChildJobDone>(reports);
  }
  ChildEnded wait_end() {
    const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));
    const auto ended = pick<ChildEnded>(reports);
    return ended.empty() ? ChildEnded{} : ended.front();
  }
  // Until a job or the child has ended.
  Reports wait_any_end() {
    return poll_until<LambdaReport>(*child_, [](const Reports& all) {
      return !pick<ChildEnded>(all).empty() || !pick<ChildJobDone>(all).empty();
    });
  }
  // Whether the child that `reports` tell of, from its start on, has this layer.
  static bool has_layer(const Reports& reports, const std::string& layer) {
    const auto ready = pick<ChildReady>(reports);
    return !ready.empty() &&
           ("," + ready[0].sandbox.layers + ",").find("," + layer + ",") != std::string::npos;
  }
  // Runs one job of one event, alone.
  ChildJobDone run(const std::string& plugin, const std::string& payload) {
    start(plugin);
    give(job_of(1, "s", {payload}));
    const auto done = wait_done(1);
    return done.empty() ? ChildJobDone{} : done.front();
  }
  void wait_running(JobId job, Sequence sequence) {
    const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
    for (LambdaChild::Running at; at.job != job || at.sequence != sequence; at = child_->running()) {
      Reports reports;
      child_->poll(reports);
      ASSERT_LT(boot_ns(), deadline_ns) << "it never ran";
    }
  }

  std::unique_ptr<LambdaChild> child_;
  ChildProcess* process_ = nullptr;  // the child's, after start_over_process()
};

}  // namespace cape::child
