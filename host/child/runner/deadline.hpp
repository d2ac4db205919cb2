// CallDeadline tells a plugin when the call it is in will count as hung if nothing more is heard of it. The
// host judges by what it sees of the child's words, which is a little later, so this time is never too late.
// After a suspend of the machine it is: the host's clock counts through it, and CLOCK_MONOTONIC, which
// plugins can read, does not. Thread: the one that makes the call.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/clock.hpp"
#include "host/child/setup.hpp"

namespace cape::child {

class CallDeadline {
 public:
  explicit CallDeadline(const Setup& setup)
      : timeout_ns_(setup.timeout_ns), timeout_max_ns_(setup.timeout_max_ns) {}

  // A call begins. `not_before_ns`: a boot time at or before now. Most plugins never ask, so the clock, which
  // costs as much as a small event, is read only for one that has asked once.
  void begin(std::int64_t not_before_ns) {
    not_before_ns_ = not_before_ns;
    started_ns_ = heard_ns_ = asked_ ? monotonic_ns() : 0;
  }
  void beat() { heard_ns_ = monotonic_ns(); }
  // CLOCK_MONOTONIC; 0: there is none.
  std::uint64_t at_ns() {
    if (started_ns_ == 0) find_start();
    const std::uint64_t soft = timeout_ns_ == 0 ? 0 : heard_ns_ + timeout_ns_;
    const std::uint64_t hard = timeout_max_ns_ == 0 ? 0 : started_ns_ + timeout_max_ns_;
    return soft == 0 || (hard != 0 && hard < soft) ? hard : soft;
  }

 private:
  static std::uint64_t monotonic_ns() {
    return static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  }
  void find_start() {
    asked_ = true;
    started_ns_ = monotonic_ns() - static_cast<std::uint64_t>(boot_ns() - not_before_ns_);
    if (heard_ns_ == 0) heard_ns_ = started_ns_;
  }

  std::uint64_t timeout_ns_, timeout_max_ns_;
  std::int64_t not_before_ns_ = 0;
  std::uint64_t started_ns_ = 0, heard_ns_ = 0;  // 0: not known yet
  bool asked_ = false;
};

}  // namespace cape::child
