#include "broker/scheduler/backoff.hpp"

#include <algorithm>
#include <cmath>

#include "core/clock.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t pause_first_ns = 10 * ns_per_ms;
constexpr std::int64_t pause_max_ns = ns_per_s;

}  // namespace

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t random_of(const JitterKey& key) {
  std::uint64_t x = splitmix64(key.seed);
  x = splitmix64(x ^ key.subject);
  x = splitmix64(x ^ key.lambda);
  x = splitmix64(x ^ static_cast<std::uint64_t>(key.sequence));
  return splitmix64(x ^ key.attempts);
}

std::int64_t backoff_ns(const RetryPolicy& retry, std::uint32_t attempts, std::uint64_t random) {
  const double doublings = attempts > 0 ? attempts - 1 : 0;
  const double wanted_ms = static_cast<double>(retry.first_ms) * std::pow(retry.factor, doublings);
  const double ms =
      std::min(wanted_ms, static_cast<double>(retry.max_ms));  // also where the power is infinite
  const auto d = static_cast<std::int64_t>(ms * static_cast<double>(ns_per_ms));
  const std::int64_t half = d / 2;
  return half + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(d - half + 1));
}

std::int64_t pause_ns(std::uint32_t times_in_a_row) {
  if (times_in_a_row < 2) return 0;
  const std::uint32_t doublings = std::min(times_in_a_row - 2, 7u);
  return std::min(pause_first_ns << doublings, pause_max_ns);
}

}  // namespace cape::scheduler
