// core/clock.hpp
// Two clocks, one word each. Boot time (CLOCK_BOOTTIME) counts through suspend and never jumps: leases,
// timers, latencies. Wall time (CLOCK_REALTIME) survives restarts: stored next-try times, event times.
// The host services of a child see CLOCK_MONOTONIC; only latencies inside one machine compare with it.
#pragma once

#include <cstdint>

namespace cape {

struct Now {
  std::int64_t boot_ns = 0;
  std::int64_t wall_ns = 0;  // since 1970
};

inline constexpr std::int64_t ns_per_ms = 1'000'000;
inline constexpr std::int64_t ns_per_s = 1'000'000'000;

// A port: tests and the simulation bring their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Now now() const override;
};

std::int64_t boot_ns();
std::int64_t wall_ns();

}  // namespace cape
