#include "host/child/runner/lambda_service.hpp"

#include "core/clock.hpp"

namespace cape::child {
namespace {

constexpr std::size_t batch_jobs_max = 64;
constexpr std::uint32_t batch_events_max = 256;
constexpr std::int64_t batch_ns_max = ns_per_ms;

}  // namespace

LambdaService::LambdaService(const Setup& setup, Channel& channel, const cape_lambda& lambda, void* self)
    : channel_(channel), runner_(setup, channel, lambda, self), pacing_(channel) {}

void LambdaService::run() {
  for (;;) {
    const bool stopping = channel_.stopping();  // before the look at the ring: nothing is given after it
    if (run_jobs()) continue;
    if (stopping) break;
    channel_.set_phase(Phase::idle);
    channel_.wait_for_request();
    pacing_.rung();
  }
  channel_.ring_host();
}

// Everything that is there now. false: nothing was.
bool LambdaService::run_jobs() {
  bool any = false;
  std::int64_t now_ns = boot_ns();
  while (const std::optional<Frame> frame = channel_.next_request()) {
    const std::optional<JobView> job = JobView::read(frame->body);
    CAPE_CHECK(job && frame->kind == static_cast<std::uint32_t>(FrameKind::run_job));
    run_job(*job, now_ns);
    any = true;
  }
  flush_held(now_ns);
  return any;
}

void LambdaService::run_job(const JobView& job, std::int64_t& now_ns) {
  const bool held = runner_.has_flush() && !job.singly();
  if (!held) flush_held(now_ns);  // results leave in the order of their jobs
  if (held_.empty()) {
    runner_.forget_outputs();
    held_since_ns_ = now_ns;
  }
  JobResult result = runner_.run(job, now_ns);
  const std::int64_t took_ns = result.end_ns - now_ns;
  now_ns = result.end_ns;
  if (held) {
    held_events_ += job.frame.count;
    held_.push_back(std::move(result));
  } else {
    publish(result, took_ns);
  }
  // Only now: what ended it, or that it never began, must be known before its numbers count as settled.
  channel_.response().finished.value.store(job.end_number());
  channel_.consumed();
  if (held && batch_is_full(now_ns)) flush_held(now_ns);
}

bool LambdaService::batch_is_full(std::int64_t now_ns) const {
  return held_.size() >= batch_jobs_max || held_events_ >= batch_events_max ||
         now_ns - held_since_ns_ >= batch_ns_max || runner_.output_bytes() > outputs_soft_bytes_max;
}

void LambdaService::flush_held(std::int64_t now_ns) {
  if (held_.empty()) return;
  const Verdict verdict = runner_.flush();
  for (JobResult& result : held_) {
    JobRunner::apply_flush(verdict, result);
    publish(result, now_ns - held_since_ns_);
  }
  held_.clear();
  held_events_ = 0;
}

void LambdaService::publish(const JobResult& result, std::int64_t took_ns) {
  const JobDoneFrame frame{.job = result.job,
                           .first_start_ns = result.first_start_ns,
                           .end_ns = result.end_ns,
                           .events_done = result.events_done,
                           .end = static_cast<std::int32_t>(result.end),
                           .app_code = result.app_code,
                           .started = result.started ? 1u : 0u,
                           .text_bytes = static_cast<std::uint32_t>(result.text.size()),
                           .fault = static_cast<std::uint32_t>(result.fault)};
  channel_.send(FrameKind::job_done, sizeof frame + result.text.size(), [&](BodyWriter& body) {
    body.write(frame);
    body.write_text(result.text);
  });
  pacing_.published(result.end_ns, took_ns);
}

}  // namespace cape::child
