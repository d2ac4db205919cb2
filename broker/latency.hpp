// broker/latency.hpp
// LatencyHistogram counts durations in buckets of about 3 % width from 1 us to 18 minutes. Fixed size.
#pragma once

#include <array>
#include <cstdint>

namespace cape::broker {

class LatencyHistogram {
 public:
  void add(std::int64_t ns, std::uint64_t times = 1);
  // Upper edge of the bucket that holds the q-th part of all, in us; 0 without any. 0 < q <= 1.
  double quantile_us(double q) const;
  std::uint64_t count() const { return count_; }
  void reset() { *this = {}; }

 private:
  static constexpr int steps = 32;    // buckets per doubling
  static constexpr int octaves = 31;  // 1 us .. 2^30 us
  std::array<std::uint64_t, steps * octaves> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace cape::broker
