// broker/scheduler/topology_limit.hpp
// TopologyLimit: how many events a second, and how many jobs at once, an operator allows a topology. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/clock.hpp"

namespace cape::scheduler {

class TopologyLimit {
 public:
  // 0: no bound.
  TopologyLimit(std::uint32_t events_per_s, std::uint32_t jobs_max)
      : events_per_s_(events_per_s), jobs_max_(jobs_max) {}

  bool is_limited() const { return events_per_s_ != 0 || jobs_max_ != 0; }
  bool has_job_room() const { return jobs_max_ == 0 || jobs_ < jobs_max_; }
  bool may_issue(std::int64_t now_ns) const { return has_job_room() && now_ns >= next_ns_; }

  // What a pause left unused is made up for at most this long.
  static constexpr std::int64_t catch_up_ns = 100 * ns_per_ms;

  void on_issue(std::uint32_t events, std::int64_t now_ns) {
    ++jobs_;
    if (events_per_s_ == 0) return;
    const std::int64_t from_ns = std::max(next_ns_, now_ns - catch_up_ns);
    next_ns_ = from_ns + static_cast<std::int64_t>(events) * ns_per_s / events_per_s_;
  }
  void on_end() { --jobs_; }
  std::uint32_t jobs() const { return jobs_; }

  // Something of the topology could not be issued for its limit.
  void block() { blocked_ = true; }
  bool take_block(std::int64_t now_ns) {
    if (!blocked_ || !may_issue(now_ns)) return false;
    blocked_ = false;
    return true;
  }
  bool is_blocked() const { return blocked_; }
  // Boot time at which the blocked one may go on; nullopt: none is, or a job has to end first.
  std::optional<std::int64_t> next_ns() const {
    return blocked_ && has_job_room() ? std::optional(next_ns_) : std::nullopt;
  }

 private:
  std::uint32_t events_per_s_, jobs_max_;
  std::uint32_t jobs_ = 0;
  std::int64_t next_ns_ = 0;
  bool blocked_ = false;
};

}  // namespace cape::scheduler
