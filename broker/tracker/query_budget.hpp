// broker/tracker/query_budget.hpp
// QueryBudget: how many queries a source may be asked for now. Saved up for a tenth of a second. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/clock.hpp"

namespace cape::tracker {

class QueryBudget {
 public:
  // A read costs its queries, at most so many: one for what is fresh, the others for what lags.
  static constexpr std::size_t per_read_max = 4;
  static constexpr std::size_t per_read_when_short = 2;

  explicit QueryBudget(std::uint32_t queries_per_s) : per_s_(queries_per_s) {}  // 0: no bound

  bool may_read(std::int64_t now_ns) const { return per_s_ == 0 || now_ns >= next_ns_; }
  // Of the next read. With less than half of what can be saved up, reads are kept small.
  std::size_t queries_max(std::int64_t now_ns) const {
    const bool is_short = per_s_ != 0 && now_ns - next_ns_ < saved_ns / 2;
    return is_short ? per_read_when_short : per_read_max;
  }
  void spend(std::size_t queries, std::int64_t now_ns) {
    if (per_s_ == 0) return;
    const std::int64_t from_ns = std::max(next_ns_, now_ns - saved_ns);
    next_ns_ = from_ns + static_cast<std::int64_t>(queries) * ns_per_s / per_s_;
  }
  // Boot time from when on may_read() is true.
  std::int64_t next_ns() const { return next_ns_; }

 private:
  static constexpr std::int64_t saved_ns = 100 * ns_per_ms;
  std::uint32_t per_s_;
  std::int64_t next_ns_ = 0;
};

}  // namespace cape::tracker
