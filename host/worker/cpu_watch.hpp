// host/worker/cpu_watch.hpp
// CpuWatch finds a child that uses the processor while it has nothing to do: threads that its plugin left
// running. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.hpp"

namespace cape::host {

class CpuWatch {
 public:
  static constexpr std::int64_t window_ns = 10 * ns_per_s;
  static constexpr std::int64_t tell_again_ns = 60 * ns_per_s;
  static constexpr double share_to_tell = 0.5;  // of one core

  // `busy`: it has had an event since the last look. A share of a core, when it is to be told.
  std::optional<double> looked(std::int64_t now_ns, std::uint64_t cpu_ms, bool busy);

 private:
  std::int64_t begun_ns_ = 0;  // of the window; 0: none is open
  std::uint64_t begun_cpu_ms_ = 0;
  std::int64_t told_ns_ = 0;  // 0: never
};

}  // namespace cape::host
