// When to ring the host for results: never for each, never later than a millisecond while work goes on.
#pragma once

#include <cstdint>

#include "core/clock.hpp"
#include "host/child/runner/channel.hpp"

namespace cape::child {

class Pacing {
 public:
  explicit Pacing(Channel& channel) : channel_(channel) {}

  // A result was published at `now_ns`; making it took `took_ns`. After a slow one the next may be slow too:
  // then the result must not wait for it.
  void published(std::int64_t now_ns, std::int64_t took_ns) {
    if (unrung_++ == 0) first_ns_ = now_ns;
    if (unrung_ < results_max && now_ns - first_ns_ < wait_max_ns && took_ns < slow_ns) return;
    channel_.ring_host();
    unrung_ = 0;
  }
  void rung() { unrung_ = 0; }  // by going to sleep

 private:
  static constexpr std::uint32_t results_max = 64;
  static constexpr std::int64_t wait_max_ns = ns_per_ms;
  static constexpr std::int64_t slow_ns = ns_per_ms / 5;

  Channel& channel_;
  std::uint32_t unrung_ = 0;
  std::int64_t first_ns_ = 0;
};

}  // namespace cape::child
