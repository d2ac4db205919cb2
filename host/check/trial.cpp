#include "host/check/trial.hpp"

#include <poll.h>
#include <stdlib.h>

#include <algorithm>
#include <system_error>

#include "core/clock.hpp"
#include "host/check/in_process.hpp"

namespace cape::check {
namespace {

constexpr std::int64_t look_ms_max = 100;  // a result before a slow event may come without a doorbell
constexpr std::int64_t kill_ms_max = 5'000;

void wait_for(int fd, std::int64_t deadline_ns) {
  const std::int64_t left_ms = (deadline_ns - boot_ns()) / ns_per_ms + 1;
  pollfd ready = {fd, POLLIN, 0};
  ::poll(&ready, 1, static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, look_ms_max)));
}

class LambdaRun {
 public:
  LambdaRun(std::unique_ptr<child::LambdaChild> child, const std::vector<wire::RunJob>& jobs,
            const LambdaTrialOptions& options)
      : child_(std::move(child)), jobs_(jobs), options_(options), began_ns_(boot_ns()) {}

  LambdaTrial run(bool gives_jobs) {
    std::int64_t deadline_ns = began_ns_ + options_.ms_max * ns_per_ms;
    while (!over_) {
      if (gives_jobs) give();
      wait_for(child_->fd(), deadline_ns);
      poll();
      if (over_ || boot_ns() < deadline_ns) continue;
      if (trial_.timed_out) break;  // not even the kernel ends it: the destructor waits for it
      trial_.timed_out = true;
      child_->kill({OutcomeKind::hung, "its time was up"});
      deadline_ns = boot_ns() + kill_ms_max * ns_per_ms;
    }
    return std::move(trial_);
  }

 private:
  // One job at a time: each outcome is then its own.
  void give() {
    if (!trial_.ready) return;
    if (child_->jobs_out() > 0) {
      if (options_.watch) options_.watch(*child_);
      return;
    }
    if (given_ < jobs_.size()) {
      if (child_->submit(jobs_[given_], options_.singly)) ++given_, child_->wake();
      return;
    }
    if (trial_.done.size() >= jobs_.size() && !std::exchange(stopped_, true)) child_->stop();
  }

  void poll() {
    std::vector<child::LambdaReport> reports;
    child_->poll(reports);
    child_->usage();  // holds it to limits.memory
    for (child::LambdaReport& report : reports) {
      if (options_.tell) options_.tell(report);
      std::visit([&](auto& told) { take(told); }, report);
    }
  }
  void take(child::ChildReady& ready) {
    trial_.start_ns = boot_ns() - began_ns_;
    trial_.ready = std::move(ready);
    if (options_.on_ready) options_.on_ready(*child_);
  }
  void take(child::ChildLog& line) { trial_.log_lines += 1 + line.dropped; }
  void take(child::ChildJobDone& done) { trial_.done.push_back(std::move(done)); }
  void take(child::ChildEnded& ended) {
    trial_.ended = std::move(ended);
    over_ = true;
  }

  std::unique_ptr<child::LambdaChild> child_;
  const std::vector<wire::RunJob>& jobs_;
  const LambdaTrialOptions& options_;
  std::int64_t began_ns_;
  LambdaTrial trial_;
  std::size_t given_ = 0;
  bool stopped_ = false, over_ = false;
};

}  // namespace

StateDir::StateDir() {
  char made[] = "/tmp/cape-check-XXXXXX";
  if (::mkdtemp(made) != nullptr) path_ = made;
}

StateDir::~StateDir() {
  std::error_code ignored;  // what is left lies below /tmp
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

wire::RunJob job_of(JobId id, std::span<const TrialEvent> events) {
  CAPE_CHECK(!events.empty());
  auto block = std::make_shared<EventBlock>();
  for (const TrialEvent& event : events) block->add(event.sequence, event.time_ns, event.type, event.payload);
  block->proven_from = events.front().sequence;
  block->proven_to = events.back().sequence;
  wire::RunJob job;
  job.job = id;
  job.subject = events.front().subject;
  job.events = {.block = block, .first = 0, .count = static_cast<std::uint32_t>(events.size())};
  return job;
}

Result<LambdaTrial> try_lambda(const TrialSpec& spec, const std::vector<wire::RunJob>& jobs,
                               const LambdaTrialOptions& options) {
  Result<std::unique_ptr<child::LambdaChild>> child =
      spec.in_process ? start_lambda_in_process(spec) : child::start_lambda_child(spec);
  if (!child) return std::unexpected(child.error());
  LambdaTrialOptions chosen = options;
  if (spec.in_process) chosen.ms_max = in_process_ms_max;
  return LambdaRun(std::move(*child), jobs, chosen).run(spec.kind != child::ChildKind::inspect);
}

// ---- a source

Result<std::unique_ptr<SourceTrial>> SourceTrial::start(const TrialSpec& spec, std::int64_t ms_max) {
  Result<std::unique_ptr<child::SourceChild>> child =
      spec.in_process ? start_source_in_process(spec) : child::start_source_child(spec);
  if (!child) return std::unexpected(child.error());
  if (spec.in_process) ms_max = in_process_ms_max;
  return std::unique_ptr<SourceTrial>(new SourceTrial(std::move(*child), boot_ns() + ms_max * ns_per_ms));
}

void SourceTrial::poll() {
  child_->poll(reports_);
  for (const child::SourceReport& report : reports_) {
    if (std::holds_alternative<child::ChildReady>(report)) ready_ = true;
    if (const auto* ended = std::get_if<child::ChildEnded>(&report)) end_ = *ended;
  }
}

template <class Answer>
std::optional<Answer> SourceTrial::wait_for() {
  std::optional<Answer> found;
  while (!end_) {
    poll();
    bool call_done = false;
    for (child::SourceReport& report : reports_) {
      if (auto* answer = std::get_if<Answer>(&report)) found = std::move(*answer);
      call_done |= std::holds_alternative<child::CallDone>(report);
    }
    reports_.clear();
    if (found && (call_done || child_->calls_out() == 0)) return found;
    if (boot_ns() >= deadline_ns_) {
      timed_out_ = true;
      return std::nullopt;
    }
    check::wait_for(child_->fd(), deadline_ns_);
  }
  return std::nullopt;
}

template <class Answer, class Ask>
std::optional<Answer> SourceTrial::ask(Ask ask) {
  constexpr int again_ms = 20;
  for (;;) {
    if (end_ || !ask()) return std::nullopt;
    std::optional<Answer> answer = wait_for<Answer>();
    if (!answer || answer->status != OutcomeKind::retry) return answer;
    if (boot_ns() + again_ms * ns_per_ms >= deadline_ns_) return answer;
    ::poll(nullptr, 0, again_ms);
  }
}

std::optional<child::QueryAnswer> SourceTrial::query(const std::string& subject, Sequence start,
                                                     std::uint32_t events_max) {
  constexpr std::uint64_t bytes_max = 4u << 20;
  const std::vector<child::SourceQuery> queries{{.tag = 0, .subject = subject, .start = start}};
  return ask<child::QueryAnswer>([&] { return child_->query(queries, events_max, bytes_max).has_value(); });
}

std::optional<child::ScanAnswer> SourceTrial::scan(const std::string& token, std::uint32_t subjects_max) {
  return ask<child::ScanAnswer>([&] { return child_->scan(token, subjects_max).has_value(); });
}

child::ChildEnded SourceTrial::end() {
  if (!end_ && !timed_out_) child_->stop();
  std::int64_t deadline_ns = std::max(deadline_ns_, boot_ns());
  while (!end_) {
    reports_.clear();
    poll();
    if (end_) break;
    if (boot_ns() >= deadline_ns) {
      timed_out_ = true;
      child_->kill({OutcomeKind::hung, "its time was up"});
      deadline_ns = boot_ns() + kill_ms_max * ns_per_ms;
    }
    check::wait_for(child_->fd(), deadline_ns);
  }
  return *end_;
}

}  // namespace cape::check
