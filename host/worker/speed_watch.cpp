#include "host/worker/speed_watch.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cape::host {
namespace {

std::string ms_text(std::int64_t ns) {
  return fmt::format("{:.3g} ms", static_cast<double>(ns) / 1e6);
}

}  // namespace

void SpeedWatch::begins(const std::string& hash) {
  if (hash == hash_ || limits_.slower == 0) return;
  if (is_full() && !slow_) before_ = Measure{hash_, p95()};
  hash_ = hash;
  recent_.clear();
  oldest_ = 0;
  slow_ = false;
  // Bytes that come back are their own measure: if they are slow now, something else than they has changed.
  compared_ = before_ && before_->hash == hash;
}

std::int64_t SpeedWatch::p95() const {
  std::vector<std::int64_t> sorted = recent_;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() * 95 - 1) / 100);
  std::ranges::nth_element(sorted, at);
  return *at;
}

void SpeedWatch::add(std::int64_t each_ns) {
  if (!is_full()) return recent_.push_back(each_ns);
  recent_[oldest_] = each_ns;
  oldest_ = (oldest_ + 1) % recent_.size();
}

std::optional<std::string> SpeedWatch::took(std::int64_t all_ns, std::uint32_t events) {
  if (limits_.slower == 0 || events == 0 || all_ns < 0) return std::nullopt;
  for (std::uint32_t i = 0; i < std::min(events, limits_.events); ++i) add(all_ns / events);
  if (compared_ || !is_full()) return std::nullopt;
  compared_ = true;
  if (!before_) return std::nullopt;
  const std::int64_t now_ns = p95();
  slow_ = now_ns > limits_.above_ns &&
          static_cast<double>(now_ns) > limits_.slower * static_cast<double>(before_->p95_ns);
  if (!slow_) return std::nullopt;
  return fmt::format("slower by far: its first {} events took {} (p95), those of the version before {}",
                     limits_.events, ms_text(now_ns), ms_text(before_->p95_ns));
}

}  // namespace cape::host
