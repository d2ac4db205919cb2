#include "host/worker/hang_watch.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/clock.hpp"

namespace cape::host {

void HangWatch::looked(const Running& running, std::int64_t now_ns) {
  if (running.job != seen_.job || running.sequence != seen_.sequence) cancelled_ns_ = 0;
  seen_ = running;
  looked_ns_ = now_ns;
}

void HangWatch::job_done(JobId job) {
  if (job != seen_.job) return;
  seen_ = {};
  cancelled_ns_ = 0;
}

bool HangWatch::cancelled(std::int64_t now_ns) {
  if (cancelled_ns_ != 0) return false;
  cancelled_ns_ = now_ns;
  return true;
}

std::int64_t HangWatch::timeout_at(const HangLimits& limits) const {
  const std::int64_t heard_ns = std::max(seen_.seen_heartbeat_ns, seen_.seen_started_ns);
  return std::min(heard_ns + limits.timeout_ns, seen_.seen_started_ns + limits.timeout_max_ns);
}

std::optional<std::int64_t> HangWatch::deadline(const HangLimits& limits) const {
  if (seen_.job == 0) return std::nullopt;
  return cancelled_ns_ != 0 ? cancelled_ns_ + limits.cancel_grace_ns : timeout_at(limits);
}

HangWatch::Verdict HangWatch::judge(std::int64_t now_ns, const HangLimits& limits) {
  const std::optional<std::int64_t> due = deadline(limits);
  if (!due || now_ns < *due || looked_ns_ < *due) return Verdict::fine;
  if (cancelled_ns_ != 0) return Verdict::kill;
  cancelled_ns_ = now_ns;
  return Verdict::cancel;
}

std::string HangWatch::reason(const HangLimits& limits) const {
  const bool capped =
      seen_.seen_started_ns + limits.timeout_max_ns <= seen_.seen_heartbeat_ns + limits.timeout_ns;
  return fmt::format("sequence {} {} {} ms and did not stop when it was cancelled", seen_.sequence,
                     capped ? "ran longer than timeout_max," : "gave no heartbeat for",
                     (capped ? limits.timeout_max_ns : limits.timeout_ns) / ns_per_ms);
}

}  // namespace cape::host
