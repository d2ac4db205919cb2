// tests/bench/quantiles.hpp
// What is told of many measured times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace cape::bench {

struct Quantiles {
  std::size_t count = 0;
  double p50_ms = 0, p95_ms = 0, p99_ms = 0, max_ms = 0;
};

inline Quantiles quantiles_of(std::vector<std::int64_t> times_ns) {
  if (times_ns.empty()) return {};
  std::ranges::sort(times_ns);
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(times_ns.size() - 1));
    return static_cast<double>(times_ns[index]) / 1e6;
  };
  return {
      .count = times_ns.size(), .p50_ms = at(0.5), .p95_ms = at(0.95), .p99_ms = at(0.99), .max_ms = at(1)};
}

inline std::string to_text(const Quantiles& q) {
  return fmt::format("p50 {:.2f} ms, p95 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms ({} times)", q.p50_ms,
                     q.p95_ms, q.p99_ms, q.max_ms, q.count);
}

}  // namespace cape::bench
