#include <fmt/format.h>

#include "host/worker/lambda_worker.hpp"

namespace cape::host {
namespace {

void sooner(std::optional<std::int64_t>& soonest, std::optional<std::int64_t> time_ns) {
  if (time_ns) soonest = std::min(soonest.value_or(*time_ns), *time_ns);
}

}  // namespace

HangLimits LambdaWorker::hang_limits() const {
  return {.timeout_ns = lambda_.timeout_ns,
          .timeout_max_ns = lambda_.timeout_max_ns,
          .cancel_grace_ns = plan_.cancel_grace_ns};
}

void LambdaWorker::kill(WorkerChild& child, Outcome why, std::int64_t now_ns, std::vector<Action>& out) {
  if (!child.lives()) return;
  child.phase = Phase::killed;
  child.phase_ns = now_ns;
  out.emplace_back(KillChild{child.id, std::move(why)});
}

// It finishes the event that runs and gives back the rest, of that event's job too.
void LambdaWorker::stop(WorkerChild& child, std::int64_t now_ns, std::vector<Action>& out) {
  if (child.phase == Phase::stopping || !child.lives()) return;
  child.phase = Phase::stopping;
  child.phase_ns = now_ns;
  if (!child.out.empty()) out.emplace_back(TakeBack{child.id});
  out.emplace_back(StopChild{child.id, child.recycle});
}

void LambdaWorker::watch(WorkerChild& child, const Surroundings& around, std::vector<Action>& out) {
  const std::int64_t now_ns = around.now_ns;
  if (child.forgotten)
    return kill(child, {OutcomeKind::cancelled, "the broker began a new session"}, now_ns, out);
  if (around.fenced) return kill(child, {OutcomeKind::cancelled, "the host's lease is over"}, now_ns, out);
  if (child.phase == Phase::starting && now_ns - child.phase_ns >= plan_.start_timeout_ns) {
    const auto reason = fmt::format("it was not ready after {} ms", plan_.start_timeout_ns / ns_per_ms);
    return kill(child, {OutcomeKind::setup, reason}, now_ns, out);
  }
  if (child.stuck) return kill(child, {OutcomeKind::protocol, "it does not empty its ring"}, now_ns, out);
  watch_events(child, around, out);
  if (around.drain_until_ns) watch_drain(child, around, out);
  const bool outdated = child.hash != hash_ || !blocked_.empty();
  const bool unused = now_ns >= idle_end_ns(child);
  const bool worn = child.phase == Phase::ready && !child.recycle.empty();
  if (outdated || unused || worn || around.drain_until_ns) stop(child, now_ns, out);
  if (child.phase == Phase::stopping && child.out.empty() && child.idle_ns == 0) child.idle_ns = now_ns;
  if (child.idle_ns != 0 && now_ns - child.idle_ns >= plan_.stop_timeout_ns) {
    const auto reason =
        fmt::format("destroy and deinit took more than {} ms", plan_.stop_timeout_ns / ns_per_ms);
    kill(child, {OutcomeKind::hung, reason}, now_ns, out);
  }
}

// When it has been without a job for too long; INT64_MAX: it has one, or may be without as long as it likes.
std::int64_t LambdaWorker::idle_end_ns(const WorkerChild& child) const {
  if (lambda_.idle_max_ns == 0 || child.phase != Phase::ready || !child.out.empty()) return INT64_MAX;
  return std::max(child.moved_ns, child.phase_ns) + lambda_.idle_max_ns;
}

void LambdaWorker::watch_events(WorkerChild& child, const Surroundings& around, std::vector<Action>& out) {
  if (!child.lives()) return;
  const HeldJob* running = child.find(child.hang.seen().job);
  const bool asked = running != nullptr && running->cancelled;
  if (asked && child.hang.cancelled(around.now_ns)) out.emplace_back(CancelChild{child.id});
  switch (child.hang.judge(around.now_ns, hang_limits())) {
    case HangWatch::Verdict::fine:
      return;
    case HangWatch::Verdict::cancel:
      out.emplace_back(CancelChild{child.id});
      return;
    case HangWatch::Verdict::kill:
      const Outcome hung{OutcomeKind::hung, child.hang.reason(hang_limits())};
      const Outcome cancelled{OutcomeKind::cancelled, "it was cancelled and did not stop"};
      return kill(child, asked ? cancelled : hung, around.now_ns, out);
  }
}

void LambdaWorker::watch_drain(WorkerChild& child, const Surroundings& around, std::vector<Action>& out) {
  if (!child.lives() || child.out.empty() || around.now_ns < *around.drain_until_ns) return;
  if (!std::exchange(child.drain_cancelled, true)) out.emplace_back(CancelChild{child.id});
  if (around.now_ns < *around.drain_until_ns + plan_.cancel_grace_ns) return;
  kill(child, {OutcomeKind::cancelled, "the host stops and could not wait longer"}, around.now_ns, out);
}

std::optional<std::int64_t> LambdaWorker::deadline_of(const WorkerChild& child,
                                                      const Surroundings& around) const {
  std::optional<std::int64_t> soonest;
  if (!child.lives()) return soonest;
  sooner(soonest, child.hang.deadline(hang_limits()));
  if (child.phase == Phase::starting) sooner(soonest, child.phase_ns + plan_.start_timeout_ns);
  if (child.idle_ns != 0) sooner(soonest, child.idle_ns + plan_.stop_timeout_ns);
  if (const std::int64_t end_ns = idle_end_ns(child); end_ns != INT64_MAX) sooner(soonest, end_ns);
  if (child.retry_ns > around.now_ns) sooner(soonest, child.retry_ns);
  if (around.drain_until_ns && !child.out.empty()) {
    sooner(soonest, *around.drain_until_ns + (child.drain_cancelled ? plan_.cancel_grace_ns : 0));
  }
  const std::int64_t held_up_ns = child.moved_ns + plan_.take_back_ns;
  const bool may_hold_up = lambda_.children_max > 1 && child.out.size() > 1 && !child.taken_back;
  if (may_hold_up && held_up_ns > around.now_ns) sooner(soonest, held_up_ns);
  return soonest;
}

std::optional<std::int64_t> LambdaWorker::next_deadline(const Surroundings& around) const {
  std::optional<std::int64_t> soonest;
  for (const auto& [id, child] : children_) sooner(soonest, deadline_of(child, around));
  if (wants_start_ && start_backoff_.next_ns() > around.now_ns) sooner(soonest, start_backoff_.next_ns());
  if (crashes_.is_set_aside() && probe_backoff_.next_ns() > around.now_ns)
    sooner(soonest, probe_backoff_.next_ns());
  return soonest;
}

void LambdaWorker::append_running(std::vector<wire::RunningEvent>& out) const {
  for (const auto& [id, child] : children_) {
    const HangWatch::Running& seen = child.hang.seen();
    if (seen.job != 0) out.push_back({.job = seen.job, .sequence = seen.sequence});
  }
}

bool LambdaWorker::has_jobs() const {
  return std::ranges::any_of(children_, [](const auto& child) { return !child.second.out.empty(); });
}

bool LambdaWorker::is_quiet() const {
  return std::ranges::none_of(children_, [](const auto& child) { return child.second.forgotten; });
}

}  // namespace cape::host
