#include "host/child/lambda_child.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/clock.hpp"
#include "host/child/child_link.hpp"
#include "host/child/frames.hpp"
#include "host/child/given_jobs.hpp"
#include "host/child/job_request.hpp"
#include "host/child/over_process.hpp"
#include "host/child/progress_watch.hpp"
#include "host/child/responses.hpp"

namespace cape::child {
namespace {

constexpr std::int64_t stalled_ns = ns_per_s;

class LambdaChildOverProcess final : public LambdaChild {
 public:
  LambdaChildOverProcess(ChildSpec spec, std::unique_ptr<ChildProcess> process)
      : link_(std::move(spec), std::move(process)), jobs_(link_.spec().limits.output_bytes) {}

  int fd() const override { return link_.process().fd(); }
  int pid() const override { return ended_ ? 0 : link_.process().pid(); }

  void poll(std::vector<LambdaReport>& out) override;
  bool submit(const wire::RunJob& job, bool singly) override;
  void wake() override { link_.wake(); }

  std::size_t jobs_out() const override { return jobs_.unsettled(); }
  Running running() override;
  std::vector<ChildMetric> metrics() const override { return link_.metrics(); }
  std::optional<ChildUsage> usage() override { return link_.usage(); }

  void take_back() override;
  void cancel() override;
  void set_lease_end(std::int64_t boot_ns) override { link_.process().set_lease_end(boot_ns); }
  void stop() override { link_.stop(); }
  void kill(Outcome why) override { link_.kill(std::move(why)); }

 private:
  Result<void> take(const Frame& frame, std::vector<LambdaReport>& out);
  Result<void> take_ready(Bytes body, std::vector<LambdaReport>& out);
  Result<void> take_job_done(Bytes body, std::vector<LambdaReport>& out);
  void end(std::vector<LambdaReport>& out);
  void refuse(const wire::RunJob& job);
  std::string name_running(ChildWords words) const;

  ChildLink link_;
  GivenJobs jobs_;
  std::vector<ChildJobDone> own_;  // settled here; reported by the next poll()
  bool has_flush_ = false, taking_back_ = false, ended_ = false;

  ProgressWatch watch_;
};

void LambdaChildOverProcess::poll(std::vector<LambdaReport>& out) {
  if (ended_) return;
  for (ChildLog& line : to_logs(link_.begin_poll())) out.emplace_back(std::move(line));
  for (ChildJobDone& done : own_) out.emplace_back(std::move(done));
  own_.clear();
  while (const std::optional<Frame> frame = link_.next())
    if (Result<void> good = take(*frame, out); !good) link_.break_off(good.error());
  if (std::optional<ChildLog> told = link_.tell_held_back()) out.emplace_back(std::move(*told));
  if (link_.ended()) end(out);
}

Result<void> LambdaChildOverProcess::take(const Frame& frame, std::vector<LambdaReport>& out) {
  const auto kind = static_cast<FrameKind>(frame.kind);
  if (kind == FrameKind::log) {
    const Result<ChildLog> line = read_log(frame.body);
    if (!line) return std::unexpected(line.error());
    if (std::optional<ChildLog> admitted = link_.admit(*line)) out.emplace_back(std::move(*admitted));
    return {};
  }
  if (kind == FrameKind::metric) return link_.take_metric(frame.body);
  if (kind == FrameKind::ready) return take_ready(frame.body, out);
  if (!link_.ready())
    return fail(ErrorCode::protocol, fmt::format("frame of kind {} before the ready frame", frame.kind));
  if (kind == FrameKind::job_done) return take_job_done(frame.body, out);
  if (kind == FrameKind::output) {
    const Result<OutputView> view = read_output(frame.body);
    return view ? jobs_.take_output(*view) : std::unexpected(view.error());
  }
  return fail(ErrorCode::protocol, fmt::format("frame kind {} is not one of a lambda", frame.kind));
}

Result<void> LambdaChildOverProcess::take_ready(Bytes body, std::vector<LambdaReport>& out) {
  Result<ChildReady> ready = read_ready(body);
  if (!ready) return std::unexpected(ready.error());
  if (link_.ready()) return fail(ErrorCode::protocol, "a second ready frame");
  link_.set_ready();
  has_flush_ = ready->manifest.has_flush;
  out.emplace_back(std::move(*ready));
  return {};
}

Result<void> LambdaChildOverProcess::take_job_done(Bytes body, std::vector<LambdaReport>& out) {
  const Result<JobDoneView> view = read_job_done(body);
  if (!view) return std::unexpected(view.error());
  Result<std::optional<ChildJobDone>> done = jobs_.take_done(*view, link_.words().progress, boot_ns());
  if (!done) return std::unexpected(done.error());
  if (*done) out.emplace_back(std::move(**done));
  if (taking_back_ && jobs_.empty()) {
    // It has answered for everything that was taken back: new numbers may start again.
    taking_back_ = false;
    link_.request().take_back.value.store(UINT64_MAX);
  }
  return {};
}

bool LambdaChildOverProcess::submit(const wire::RunJob& job, bool singly) {
  if (taking_back_ || !link_.takes_requests()) return false;
  const Fit fit = fit_events(job, link_.request_body_bytes_max());
  if (fit.count == 0) {
    refuse(job);
    return true;
  }
  std::uint8_t* at = link_.open_request(FrameKind::run_job, fit.body_bytes);
  if (at == nullptr) return false;
  write_run_job(job, {.first_number = jobs_.next_number(), .count = fit.count, .singly = singly}, at);
  if (jobs_.unsettled() == 0) watch_.restart();
  jobs_.add(job, fit.count, singly, boot_ns());
  link_.publish_request();
  return true;
}

// An event over every limit: to wait for room would be to wait for ever.
void LambdaChildOverProcess::refuse(const wire::RunJob& job) {
  ChildJobDone done;
  done.status.job = job.job;
  done.status.failed_sequence = job.events.first_sequence();
  done.status.started = true;
  done.status.end = {OutcomeKind::limit,
                     fmt::format("its {} bytes{} do not fit the ring; raise payload_bytes_max in cape.toml",
                                 event_body_bytes(job, 0), job.inputs.empty() ? "" : " with its inputs")};
  own_.push_back(std::move(done));
}

LambdaChild::Running LambdaChildOverProcess::running() {
  if (ended_ || !link_.ready() || jobs_.unsettled() == 0) return {};
  const std::int64_t now = boot_ns();
  ProgressWatch::Look seen = watch_.look(link_.words(), link_.heartbeat(), jobs_.next_number(), now);
  std::optional<GivenJobs::Place> place = jobs_.running(seen.words);
  // Jobs are out, yet nothing runs and nothing moves: its own words can not be believed, so its oldest
  // counts, and no heartbeat is one of it.
  if (!place && now - seen.started_ns > stalled_ns) {
    place = jobs_.oldest();
    seen.heartbeat_ns = seen.started_ns;
  }
  if (!place) return {};
  return {.job = place->job,
          .sequence = place->sequence,
          .seen_started_ns = seen.started_ns,
          .seen_heartbeat_ns = seen.heartbeat_ns};
}

void LambdaChildOverProcess::take_back() {
  if (ended_ || jobs_.unsettled() == 0) return;
  // Store, then load: the child stores progress, then loads take_back (runner/lambda_service.cpp). Of the two
  // at least one sees the other; what lies above the progress seen here can not have started.
  link_.request().take_back.value.store(link_.words().progress);
  taking_back_ = true;
  jobs_.take_back(link_.words().progress, own_);
  // It may sleep and never have heard of them; until it has answered for them no job can be submitted.
  link_.wake();
}

void LambdaChildOverProcess::cancel() {
  const ChildWords words = link_.words();
  const bool runs = words.progress > words.finished || words.phase == Phase::flush;
  if (!ended_ && runs) link_.request().cancel.value.store(words.progress);
}

std::string LambdaChildOverProcess::name_running(ChildWords words) const {
  const auto place = jobs_.running(words);
  if (!place) return {};
  std::string text =
      fmt::format("event {} of '{}'", place->sequence, printable(place->subject, subject_bytes_max));
  if (words.phase == Phase::flush) return "the flush of a batch from " + text;
  return place->running > 1 ? fmt::format("a call of {} events from {}", place->running, text) : text;
}

void LambdaChildOverProcess::end(std::vector<LambdaReport>& out) {
  const ChildWords words = link_.words();
  EndFacts facts = link_.end_facts();
  if (words.progress > 0) facts.running = name_running(words);
  ChildEnded ended;
  ended.end = describe_end(link_.spec(), facts);
  ended.cause = cause_of(link_.spec(), facts);
  ended.check = check_of(link_.spec(), facts);
  ended.had_started_an_event = link_.ready() && words.progress > 0;
  GivenJobs::Left left = jobs_.settle(words, has_flush_, ended.end);
  for (ChildJobDone& done : left.done) out.emplace_back(std::move(done));
  ended.left = std::move(left.left);
  ended.rerun_singly = left.rerun_singly;
  out.emplace_back(std::move(ended));
  ended_ = true;
}

}  // namespace

std::unique_ptr<LambdaChild> make_lambda_child(ChildSpec spec, std::unique_ptr<ChildProcess> process) {
  return std::make_unique<LambdaChildOverProcess>(std::move(spec), std::move(process));
}

Result<std::unique_ptr<LambdaChild>> start_lambda_child(const ChildSpec& spec, Spare* spare) {
  Result<std::unique_ptr<ChildProcess>> process = ChildProcess::start(spec, spare);
  if (!process) return std::unexpected(process.error());
  return make_lambda_child(spec, std::move(*process));
}

}  // namespace cape::child
