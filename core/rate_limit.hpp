// core/rate_limit.hpp
// RateLimit lets a number a second through, saved up to a burst. LineLimit is one for lines of a log, and
// counts what it held back so that it can be told. Pure: time is passed in. Thread: the owner's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/clock.hpp"

namespace cape {

class RateLimit {
 public:
  RateLimit(std::int64_t per_second, std::int64_t burst)
      : per_second_(per_second), burst_(burst), tokens_ns_(burst * ns_per_s) {}

  bool take(std::int64_t now_ns) {
    const std::int64_t elapsed_ns =
        std::clamp<std::int64_t>(now_ns - last_ns_, 0, burst_ * ns_per_s / per_second_);
    tokens_ns_ = std::min(tokens_ns_ + elapsed_ns * per_second_, burst_ * ns_per_s);
    last_ns_ = now_ns;
    if (tokens_ns_ < ns_per_s) return false;
    tokens_ns_ -= ns_per_s;
    return true;
  }

 private:
  std::int64_t per_second_, burst_;
  std::int64_t tokens_ns_;  // tokens x 1e9
  std::int64_t last_ns_ = 0;
};

class LineLimit {
 public:
  LineLimit(std::int64_t per_second, std::int64_t burst) : rate_(per_second, burst) {}

  // false: the line is not to be written; it was counted.
  bool admit(std::int64_t now_ns) {
    if (rate_.take(now_ns)) return true;
    ++held_back_;
    return false;
  }
  // How many were held back since this last gave a number above 0; 0: none, or less than a second has passed
  // since then. `at_once`: there will be no later call.
  std::uint64_t take_held_back(std::int64_t now_ns, bool at_once = false) {
    if (held_back_ == 0 || (!at_once && now_ns - told_ns_ < ns_per_s)) return 0;
    told_ns_ = now_ns;
    return std::exchange(held_back_, 0);
  }

 private:
  RateLimit rate_;
  std::uint64_t held_back_ = 0;
  std::int64_t told_ns_ = 0;
};

}  // namespace cape
