// broker/scheduler/topology_limit.hpp
// TopologyLimit: how many events a second, and how many jobs at once, an operator allows a topology. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "core/pace.hpp"

namespace cape::scheduler {

class TopologyLimit {
 public:
  // 0: no bound.
  TopologyLimit(std::uint32_t events_per_s, std::uint32_t jobs_max)
      : pace_(events_per_s), jobs_max_(jobs_max) {}

  bool is_limited() const { return pace_.is_bounded() || jobs_max_ != 0; }
  bool has_job_room() const { return jobs_max_ == 0 || jobs_ < jobs_max_; }
  bool may_issue(std::int64_t now_ns) const { return has_job_room() && pace_.may_take(now_ns); }

  void on_issue(std::uint32_t events, std::int64_t now_ns) {
    ++jobs_;
    pace_.take(events, now_ns);
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
    return blocked_ && has_job_room() ? std::optional(pace_.next_ns()) : std::nullopt;
  }

 private:
  Pace pace_;
  std::uint32_t jobs_max_;
  std::uint32_t jobs_ = 0;
  bool blocked_ = false;
};

}  // namespace cape::scheduler
