#include "host/worker/cpu_watch.hpp"

namespace cape::host {

std::optional<double> CpuWatch::looked(std::int64_t now_ns, std::uint64_t cpu_ms, bool busy) {
  const bool open = begun_ns_ != 0 && !busy && cpu_ms >= begun_cpu_ms_;
  if (open && now_ns - begun_ns_ < window_ns) return std::nullopt;
  const auto used_ns = static_cast<double>(cpu_ms - begun_cpu_ms_) * static_cast<double>(ns_per_ms);
  const double share = open ? used_ns / static_cast<double>(now_ns - begun_ns_) : 0;
  begun_ns_ = now_ns;
  begun_cpu_ms_ = cpu_ms;
  const bool told = told_ns_ != 0 && now_ns - told_ns_ < tell_again_ns;
  if (share < share_to_tell || told) return std::nullopt;
  told_ns_ = now_ns;
  return share;
}

}  // namespace cape::host
