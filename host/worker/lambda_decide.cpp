#include <fmt/format.h>

#include "host/worker/lambda_worker.hpp"

namespace cape::host {
namespace {

// Deaths before the first event.
constexpr Backoff::Limits start_limits{.first_ns = 100 * ns_per_ms, .factor = 2, .max_ns = 30 * ns_per_s};

// As many jobs lie in a child's ring as it runs in about this time: enough that it never waits for us, few
// enough that a slow event holds up little.
constexpr std::int64_t ahead_ns = 2 * ns_per_ms;
constexpr std::size_t ahead_unknown = 2;  // until a job has been timed

}  // namespace

LambdaWorker::LambdaWorker(LambdaIndex index, const WorkerLambda& lambda, const WorkerPlan& plan)
    : index_(index),
      lambda_(lambda),
      plan_(plan),
      trouble_("the plugins are being looked at"),
      start_backoff_(start_limits),
      probe_backoff_({lambda.probe_first_ns, lambda.probe_factor, lambda.probe_max_ns}),
      speed_(lambda.speed) {
  plan_.lambdas.clear();
}

void LambdaWorker::decide(const Surroundings& around, ChildId& last_child, std::vector<Action>& out) {
  for (auto& [id, child] : children_) watch(child, around, out);
  refuse_waiting(around);
  take_back(around.now_ns, out);
  give(around.now_ns, out);
  start(around, last_child, out);
  for (wire::JobStatus& status : ended_) out.emplace_back(ReportStatus{std::move(status)});
  ended_.clear();
  report_credit(around, out);
}

bool LambdaWorker::start_fails() const {
  const auto ready = [](const auto& child) { return child.second.phase == Phase::ready; };
  return !start_trouble_.empty() && std::ranges::none_of(children_, ready);
}

// Why no job can run here; nullopt: they can.
std::optional<Outcome> LambdaWorker::refusal(const Surroundings& around) const {
  if (around.drain_until_ns) return Outcome{OutcomeKind::cancelled, "this host is draining"};
  if (around.fenced)
    return Outcome{OutcomeKind::cancelled, "this host has not heard of the broker for a lease"};
  if (hash_.empty()) return Outcome{OutcomeKind::setup, trouble_};
  if (!blocked_.empty()) return Outcome{OutcomeKind::setup, blocked_};
  if (start_fails()) return Outcome{OutcomeKind::setup, start_trouble_};
  return std::nullopt;
}

void LambdaWorker::refuse_waiting(const Surroundings& around) {
  const std::optional<Outcome> no = refusal(around);
  const bool set_aside = crashes_.is_set_aside();
  bool probes = set_aside && !has_jobs() && probe_backoff_.ready(around.now_ns);  // one job may
  std::erase_if(waiting_, [&](const HeldJob& held) {
    if (held.cancelled) {
      end_job(held, not_started(held, {OutcomeKind::cancelled, "cancelled before it began"}));
    } else if (no) {
      end_job(held, not_started(held, *no));
    } else if (held.job.hash != hash_) {
      end_job(held, not_started(held, {OutcomeKind::cancelled, "other bytes of the plugin serve here now"}));
    } else if (set_aside && !std::exchange(probes, false)) {
      end_job(held, not_started(held, {OutcomeKind::cancelled,
                                       "the plugin is set aside; one event at a time probes it"}));
    } else {
      return false;
    }
    return true;
  });
}

std::size_t LambdaWorker::jobs_ahead_max() const {
  if (job_ns_ == 0) return std::min<std::size_t>(ahead_unknown, plan_.jobs_per_child);
  return std::clamp<std::size_t>(static_cast<std::size_t>(ahead_ns / job_ns_), 1, plan_.jobs_per_child);
}

bool LambdaWorker::takes_jobs(const WorkerChild& child) const {
  return child.phase == Phase::ready && child.hash == hash_ && !child.taken_back &&
         child.out.size() < jobs_ahead_max();
}

bool LambdaWorker::is_slow(const WorkerChild& child, std::int64_t now_ns) const {
  return !child.out.empty() && now_ns - child.moved_ns >= plan_.take_back_ns;
}

// A job that lay behind a slow event would be taken back at once, so it is not given there: it waits for
// whichever child is free first.
WorkerChild* LambdaWorker::freest(std::int64_t now_ns) {
  WorkerChild* best = nullptr;
  for (auto& [id, child] : children_) {
    if (!takes_jobs(child) || now_ns < child.retry_ns) continue;
    if (lambda_.children_max > 1 && is_slow(child, now_ns)) continue;
    if (best == nullptr || child.out.size() < best->out.size()) best = &child;
  }
  return best;
}

void LambdaWorker::give(std::int64_t now_ns, std::vector<Action>& out) {
  while (!waiting_.empty()) {
    WorkerChild* child = freest(now_ns);
    if (child == nullptr) return;
    if (child->out.empty()) child->moved_ns = now_ns;
    child->out.emplace_back(std::move(waiting_.front()));
    waiting_.pop_front();
    const HeldJob& held = child->out.back();
    out.emplace_back(GiveJob{.child = child->id, .job = &held.job, .singly = held.singly});
  }
}

bool LambdaWorker::holds_up_jobs(const WorkerChild& child, std::int64_t now_ns) const {
  return child.phase == Phase::ready && child.out.size() > 1 && !child.taken_back && is_slow(child, now_ns);
}

// Jobs behind a slow event go to another child, if there is one or may be one.
void LambdaWorker::take_back(std::int64_t now_ns, std::vector<Action>& out) {
  for (auto& [id, child] : children_) {
    if (!holds_up_jobs(child, now_ns)) continue;
    const bool elsewhere =
        children_.size() < lambda_.children_max || std::ranges::any_of(children_, [&](const auto& other) {
          return other.first != id && takes_jobs(other.second) && !is_slow(other.second, now_ns);
        });
    if (!elsewhere) continue;
    child.taken_back = true;
    out.emplace_back(TakeBack{id});
  }
}

bool LambdaWorker::may_start(const Surroundings& around) const {
  if (hash_.empty() || !blocked_.empty() || around.fenced || around.drain_until_ns || !around.session_open)
    return false;
  const auto starting = [](const auto& child) { return child.second.phase == Phase::starting; };
  return children_.size() < lambda_.children_max && std::ranges::none_of(children_, starting);
}

// One at a time: when jobs wait and no child takes them, or to find out whether a failing one starts again.
void LambdaWorker::start(const Surroundings& around, ChildId& last_child, std::vector<Action>& out) {
  wants_start_ = may_start(around) && (!waiting_.empty() || start_fails());
  if (!wants_start_ || !start_backoff_.ready(around.now_ns)) return;
  wants_start_ = false;
  const ChildId id = ++last_child;
  children_.emplace(id, WorkerChild{.id = id, .hash = hash_, .phase_ns = around.now_ns});
  out.emplace_back(StartChild{.child = id, .lambda = index_, .hash = hash_});
}

ReportCredit LambdaWorker::credit(const Surroundings& around) const {
  ReportCredit credit{.lambda = index_, .jobs_max = 0, .hash = hash_, .trouble = {}};
  if (const std::optional<Outcome> no = refusal(around)) {
    credit.trouble = no->reason;
  } else if (!crashes_.is_set_aside()) {
    credit.jobs_max = lambda_.children_max * plan_.jobs_per_child;
  } else if (has_jobs() || probe_backoff_.ready(around.now_ns)) {
    credit.jobs_max = 1;
  } else {
    credit.trouble = fmt::format(
        "set aside: events of {} subjects crashed it within {} s; one event at a time probes it ({})",
        crashed_subjects_max, crash_window_ns / ns_per_s, last_crash_);
  }
  return credit;
}

void LambdaWorker::report_credit(const Surroundings& around, std::vector<Action>& out) {
  if (!around.session_open) return;
  ReportCredit now = credit(around);
  const bool same = credit_ && credit_->jobs_max == now.jobs_max && credit_->hash == now.hash &&
                    credit_->trouble == now.trouble;
  if (same) return;
  credit_ = now;
  out.emplace_back(std::move(now));
}

}  // namespace cape::host
