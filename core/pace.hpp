// core/pace.hpp
// Pace spreads things over time, so many a second, in parcels of any size: a parcel may always be taken when
// the one before is paid for, and what was not used is saved up for a tenth of a second. (RateLimit, of
// rate_limit.hpp, lets through or refuses one thing at a time.) Pure: time is passed in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/clock.hpp"

namespace cape {

class Pace {
 public:
  static constexpr std::int64_t saved_ns = 100 * ns_per_ms;

  explicit Pace(std::uint32_t per_s) : per_s_(per_s) {}  // 0: no bound

  bool is_bounded() const { return per_s_ != 0; }
  bool may_take(std::int64_t now_ns) const { return now_ns >= next_ns_; }
  void take(std::uint64_t count, std::int64_t now_ns) {
    if (per_s_ == 0) return;
    const std::int64_t from_ns = std::max(next_ns_, now_ns - saved_ns);
    next_ns_ = from_ns + static_cast<std::int64_t>(count) * ns_per_s / per_s_;
  }
  // Time from when on may_take() is true; 0, or long past: at once.
  std::int64_t next_ns() const { return next_ns_; }

 private:
  std::uint32_t per_s_;
  std::int64_t next_ns_ = 0;
};

}  // namespace cape
