#include "broker/latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cape::broker {

void LatencyHistogram::add(std::int64_t ns, std::uint64_t times) {
  const std::uint64_t us = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 1000)) / 1000;
  const int octave = std::min(static_cast<int>(std::bit_width(us)) - 1, octaves - 1);
  const std::uint64_t above = us - (std::uint64_t{1} << octave);
  const auto step = std::min<std::uint64_t>((above * steps) >> octave, steps - 1);
  buckets_[static_cast<std::size_t>(octave * steps) + step] += times;
  count_ += times;
}

double LatencyHistogram::quantile_us(double q) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::ldexp(1.0 + static_cast<double>(i % steps + 1) / steps, static_cast<int>(i / steps));
  }
  return 0;
}

}  // namespace cape::broker
