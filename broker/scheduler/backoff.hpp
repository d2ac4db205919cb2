// broker/scheduler/backoff.hpp
// How long a lane waits before its next try. Pure.
#pragma once

#include <cstdint>

#include "core/config/config.hpp"
#include "core/types.hpp"

namespace cape::scheduler {

// One step of the splitmix64 generator, as a hash: every bit of `x` decides every bit of the result.
std::uint64_t splitmix64(std::uint64_t x);

// What a jitter is drawn from. Not from one running generator: then a subject that fails would change the
// times of all others.
struct JitterKey {
  std::uint64_t seed = 0;
  SubjectId subject = 0;
  LambdaIndex lambda = 0;
  Sequence sequence = 0;
  std::uint32_t attempts = 0;
};
std::uint64_t random_of(const JitterKey& key);

// After `attempts` (at least 1) failed ones: equal jitter, d/2 + random(0, d/2) with
// d = min(first * factor^(attempts - 1), max).
std::int64_t backoff_ns(const RetryPolicy& retry, std::uint32_t attempts, std::uint64_t random);

// For what is no attempt and must not spin: 0 for the first time in a row, then 10 ms, doubled up to 1 s.
std::int64_t pause_ns(std::uint32_t times_in_a_row);

}  // namespace cape::scheduler
