// host/worker/backoff.hpp
// Backoff says when to try again after failures in a row. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cape::host {

class Backoff {
 public:
  struct Limits {
    std::int64_t first_ns = 0;
    double factor = 2;
    std::int64_t max_ns = 0;
  };
  explicit Backoff(Limits limits) : limits_(limits) {}

  void failed(std::int64_t now_ns) {
    const double next = delay_ns_ == 0 ? 0 : static_cast<double>(delay_ns_) * limits_.factor;
    delay_ns_ = next >= static_cast<double>(limits_.max_ns)
                    ? limits_.max_ns
                    : std::max(limits_.first_ns, static_cast<std::int64_t>(next));
    next_ns_ = now_ns + delay_ns_;
  }
  void reset() { delay_ns_ = next_ns_ = 0; }
  bool ready(std::int64_t now_ns) const { return now_ns >= next_ns_; }
  std::int64_t next_ns() const { return next_ns_; }  // boot time; 0: at once

 private:
  Limits limits_;
  std::int64_t delay_ns_ = 0, next_ns_ = 0;
};

}  // namespace cape::host
