#include <utility>

#include <fmt/format.h>

#include "host/child/wishes.hpp"
#include "host/worker/lambda_worker.hpp"

namespace cape::host {
namespace {

constexpr std::int64_t refused_again_ns = ns_per_ms;
// A child that has no job and takes none owes an answer to a take-back; one that never gives it is broken.
constexpr std::int64_t refuses_max_ns = ns_per_s;
// Bytes with which nothing succeeded and so much went wrong do not work.
constexpr std::uint32_t vain_crashes_max = 3, vain_starts_max = 3;

}  // namespace

WorkerChild* LambdaWorker::find(ChildId child) {
  const auto found = children_.find(child);
  return found == children_.end() ? nullptr : &found->second;
}

void LambdaWorker::serves(const PluginServes& plugin) {
  trouble_ = plugin.trouble;
  if (plugin.hash == hash_) return;
  hash_ = plugin.hash;  // other bytes: what is known of the old ones does not hold
  blocked_.clear();
  start_trouble_.clear();
  start_backoff_.reset();
  probe_backoff_.reset();
  crashes_ = {};
  speed_.begins(hash_);
  vain_crashes_ = vain_starts_ = 0;
  works_ = works_not_ = false;
  judged_.reset();
  job_ns_ = 0;
}

// An empty trouble: an event succeeded.
void LambdaWorker::judge(std::string trouble) {
  bool& said = trouble.empty() ? works_ : works_not_;
  if (works_ || std::exchange(said, true)) return;
  judged_ = BytesJudged{.lambda = index_, .hash = hash_, .trouble = std::move(trouble)};
}

void LambdaWorker::take_judged(std::vector<BytesJudged>& out) {
  if (judged_) out.push_back(*std::exchange(judged_, std::nullopt));
}

void LambdaWorker::arrived(wire::RunJob job) {
  HeldJob held{.job = std::move(job), .before = {}};
  held.outputs_bytes_max = held.job.outputs_bytes_max;
  const EventRange& events = held.job.events;
  if (!events.block || events.count == 0 ||
      std::uint64_t{events.first} + events.count > events.block->entries.size()) {
    held.job.events = {};
    return end_job(held, not_started(held, {OutcomeKind::cancelled, "the job has no events"}));
  }
  const std::size_t jobs_max = std::size_t{2} * lambda_.children_max * plan_.jobs_per_child;
  if (waiting_.size() >= jobs_max) {
    return end_job(held,
                   not_started(held, {OutcomeKind::cancelled, "more jobs than this host gave credit for"}));
  }
  wait_again(std::move(held));
}

// Jobs wait in the order in which they were issued; one that comes back goes before younger ones.
void LambdaWorker::wait_again(HeldJob held) {
  auto at = waiting_.end();
  while (at != waiting_.begin() && std::prev(at)->job.job > held.job.job) --at;
  waiting_.insert(at, std::move(held));
}

void LambdaWorker::end_job(const HeldJob& held, wire::JobStatus status) {
  status.job = held.job.job;
  if (held.outputs_bytes_max > 0) bound_outputs(held, status);
  ended_.push_back(std::move(status));
}

void LambdaWorker::refused(ChildId id, JobId job, std::int64_t now_ns) {
  WorkerChild* child = find(id);
  if (child == nullptr) return;
  if (std::optional<HeldJob> held = child->remove(job)) wait_again(std::move(*held));
  if (child->refuses_ns == 0) child->refuses_ns = now_ns;
  child->retry_ns = now_ns + refused_again_ns;
  child->stuck = child->out.empty() && now_ns - child->refuses_ns >= refuses_max_ns;
}

void LambdaWorker::reported(ChildId id, child::LambdaReport& report, std::int64_t now_ns) {
  WorkerChild* child = find(id);
  if (child == nullptr) return;
  if (auto* ready = std::get_if<child::ChildReady>(&report)) return is_ready(*child, *ready, now_ns);
  if (auto* done = std::get_if<child::ChildJobDone>(&report)) return is_done(*child, done->status, now_ns);
  if (auto* ended = std::get_if<child::ChildEnded>(&report)) return has_ended(*child, *ended, now_ns);
}

void LambdaWorker::is_ready(WorkerChild& child, const child::ChildReady& report, std::int64_t now_ns) {
  child.was_ready = true;
  if (child.phase != Phase::starting) return;
  child.phase = Phase::ready;
  child.phase_ns = now_ns;
  start_trouble_.clear();
  if (child.hash == hash_ && lambda_.owns_state && lambda_.children_max > 1 &&
      !child::shares_state(report.manifest)) {
    blocked_ = "the plugin does not say that several children may share its state: set children_max = 1";
  }
}

void LambdaWorker::is_done(WorkerChild& child, wire::JobStatus& status, std::int64_t now_ns) {
  child.hang.job_done(status.job);
  std::optional<HeldJob> held = child.remove(status.job);
  if (!held) return;
  child.moved_ns = now_ns;
  child.refuses_ns = child.retry_ns = 0;
  if (status.events_done > 0) count_success(child);
  if (status.end.kind == OutcomeKind::no_memory) child.recycle = "an event of it ended with NO_MEMORY";
  const bool came_back = status.end.kind == OutcomeKind::cancelled && !status.started;
  const bool asked = child.taken_back || child.phase != Phase::ready || status.events_done > 0;
  if (child.out.empty()) child.taken_back = false;
  if (!came_back) {
    if (status.started || status.events_done > 0) start_backoff_.reset();
    count_time(child, status);
    return end_job(*held, whole_status(*held, std::move(status)));
  }
  if (!asked) {  // counts as an attempt, so that it cannot go on for ever
    status.end = {OutcomeKind::protocol, "the child gave the job back although nobody had asked for it"};
    status.started = true;
    return end_job(*held, whole_status(*held, std::move(status)));
  }
  if (!keep_progress(*held, status)) return end_job(*held, whole_status(*held, {}));
  if (outputs_are_full(*held)) return end_job(*held, not_started(*held, std::move(status.end)));
  wait_again(std::move(*held));
}

void LambdaWorker::count_success(const WorkerChild& child) {
  crashes_.succeeded();
  probe_backoff_.reset();
  if (child.hash == hash_) judge({});
}

void LambdaWorker::count_time(const WorkerChild& child, const wire::JobStatus& status) {
  if (status.first_start_ns == 0 || status.end_ns < status.first_start_ns) return;
  const std::int64_t took_ns = std::max<std::int64_t>(status.end_ns - status.first_start_ns, 1);
  job_ns_ = job_ns_ == 0 ? took_ns : std::max<std::int64_t>((7 * job_ns_ + took_ns) / 8, 1);
  if (child.hash != hash_) return;
  const std::uint32_t failed = status.started && !cape::is_done(status.end.kind) ? 1 : 0;
  if (std::optional<std::string> slow = speed_.took(took_ns, status.events_done + failed))
    judged_ = BytesJudged{.lambda = index_, .hash = hash_, .trouble = std::move(*slow)};
}

void LambdaWorker::count_crash(const WorkerChild& child, const std::string& subject, const Outcome& end,
                               std::int64_t now_ns) {
  if (!is_crash(end.kind)) return;
  last_crash_ = end.reason;
  if (child.hash == hash_ && ++vain_crashes_ >= vain_crashes_max)
    judge(fmt::format("its first {} events crashed it ({})", vain_crashes_max, end.reason));
  const bool probing = crashes_.is_set_aside();
  crashes_.crashed(subject, now_ns);
  if (probing || crashes_.is_set_aside()) probe_backoff_.failed(now_ns);
}

void LambdaWorker::has_ended(WorkerChild& child, child::ChildEnded& ended, std::int64_t now_ns) {
  settle_left(child, ended, now_ns);
  // Given by us, but it was gone before they reached it.
  for (HeldJob& held : child.out) wait_again(std::move(held));
  note_end(child, ended, now_ns);
  children_.erase(child.id);
}

void LambdaWorker::settle_left(WorkerChild& child, child::ChildEnded& ended, std::int64_t now_ns) {
  for (std::size_t i = 0; i < ended.left.size(); ++i) {
    wire::JobStatus& status = ended.left[i];
    std::optional<HeldJob> held = child.remove(status.job);
    if (!held) continue;
    if (status.events_done > 0) count_success(child);
    if (status.started) {  // it died in this event: one attempt
      status.end = ended.end.kind == OutcomeKind::ok ? Outcome{OutcomeKind::exited, "it ended"} : ended.end;
      count_crash(child, held->job.subject, status.end, now_ns);
      end_job(*held, whole_status(*held, std::move(status)));
      continue;
    }
    held->singly = held->singly || i < ended.rerun_singly;
    held->may_have_run = held->may_have_run || i < ended.rerun_singly;
    held->job.may_repeat = held->job.may_repeat || i < ended.rerun_singly;
    if (!keep_progress(*held, status))
      end_job(*held, whole_status(*held, {}));
    else if (outputs_are_full(*held))
      end_job(*held, not_started(*held, std::move(status.end)));
    else
      wait_again(std::move(*held));
  }
}

void LambdaWorker::note_end(const WorkerChild& child, const child::ChildEnded& ended, std::int64_t now_ns) {
  if (ended.had_started_an_event) start_backoff_.reset();
  if (child.hash != hash_ || ended.end.kind == OutcomeKind::ok) return;
  if (ended.end.kind == OutcomeKind::bad_config) {
    blocked_ = ended.end.reason;
    judge(blocked_);
    return;
  }
  const bool ours = child.phase == Phase::killed || child.phase == Phase::stopping;
  if (!child.was_ready || (!ours && !ended.had_started_an_event)) start_went_wrong(ended.end.reason, now_ns);
}

void LambdaWorker::start_went_wrong(const std::string& reason, std::int64_t now_ns) {
  start_trouble_ = reason;
  start_backoff_.failed(now_ns);
  if (++vain_starts_ >= vain_starts_max) judge(reason);
}

void LambdaWorker::start_failed(ChildId id, const std::string& reason, std::int64_t now_ns) {
  if (children_.erase(id) > 0) start_went_wrong(reason, now_ns);
}

void LambdaWorker::looked(ChildId id, const child::LambdaChild::Running& running, std::int64_t now_ns) {
  WorkerChild* child = find(id);
  if (child == nullptr) return;
  const bool ours = running.job != 0 && child->find(running.job) != nullptr;
  child->hang.looked(ours ? running : child::LambdaChild::Running{}, now_ns);
}

void LambdaWorker::used(ChildId id, std::uint64_t resident_bytes) {
  WorkerChild* child = find(id);
  if (child == nullptr) return;
  const std::string why = child->growth.look(resident_bytes, lambda_.recycle_bytes);
  if (!why.empty()) child->recycle = why;
}

void LambdaWorker::cancel(JobId job) {
  const auto waits = std::ranges::find_if(waiting_, [&](const HeldJob& held) { return held.job.job == job; });
  if (waits != waiting_.end()) {
    end_job(*waits, not_started(*waits, {OutcomeKind::cancelled, "cancelled before it began"}));
    waiting_.erase(waits);
  }
  for (auto& [id, child] : children_) {
    if (HeldJob* held = child.find(job)) held->cancelled = true;
  }
}

void LambdaWorker::session_started() {
  credit_.reset();
}

void LambdaWorker::session_ended() {
  waiting_.clear();
  ended_.clear();
  for (auto& [id, child] : children_) {
    child.forgotten = child.forgotten || !child.out.empty();
    child.out.clear();
  }
}

}  // namespace cape::host
