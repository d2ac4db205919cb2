// host/worker/hang_watch.hpp
// HangWatch decides when the event that a child runs has taken too long. It knows only what was last seen of
// the child, so it never gives up on one without a fresh look. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/child/lambda_child.hpp"

namespace cape::host {

struct HangLimits {
  std::int64_t timeout_ns = 0;      // without heartbeat
  std::int64_t timeout_max_ns = 0;  // with heartbeats
  std::int64_t cancel_grace_ns = 0;
};

class HangWatch {
 public:
  using Running = child::LambdaChild::Running;

  void looked(const Running& running, std::int64_t now_ns);
  void job_done(JobId job);  // what was seen of it is out of date

  // The running event shall stop early for another reason than a timeout: the grace starts now. true: it had
  // not been cancelled yet.
  bool cancelled(std::int64_t now_ns);

  enum class Verdict : std::uint8_t { fine, cancel, kill };
  // `cancel` is said once for each event.
  Verdict judge(std::int64_t now_ns, const HangLimits& limits);
  // When judge() must be asked again, after a look.
  std::optional<std::int64_t> deadline(const HangLimits& limits) const;

  const Running& seen() const { return seen_; }  // job 0: nothing runs as far as we know
  std::string reason(const HangLimits& limits) const;

 private:
  std::int64_t timeout_at(const HangLimits& limits) const;

  Running seen_;
  std::int64_t looked_ns_ = 0;
  std::int64_t cancelled_ns_ = 0;  // 0: the running event has not been cancelled
};

}  // namespace cape::host
