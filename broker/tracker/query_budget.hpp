// broker/tracker/query_budget.hpp
// QueryBudget: how many queries a source may be asked for now. Saved up for a tenth of a second. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/pace.hpp"

namespace cape::tracker {

class QueryBudget {
 public:
  // A read costs its queries, at most so many: one for what is fresh, the others for what lags.
  static constexpr std::size_t per_read_max = 4;
  static constexpr std::size_t per_read_when_short = 2;

  explicit QueryBudget(std::uint32_t queries_per_s) : pace_(queries_per_s) {}  // 0: no bound

  bool may_read(std::int64_t now_ns) const { return pace_.may_take(now_ns); }
  // Of the next read. With less than half of what can be saved up, reads are kept small.
  std::size_t queries_max(std::int64_t now_ns) const {
    const bool is_short = pace_.is_bounded() && now_ns - pace_.next_ns() < Pace::saved_ns / 2;
    return is_short ? per_read_when_short : per_read_max;
  }
  void spend(std::size_t queries, std::int64_t now_ns) { pace_.take(queries, now_ns); }
  // Boot time from when on may_read() is true.
  std::int64_t next_ns() const { return pace_.next_ns(); }

 private:
  Pace pace_;
};

}  // namespace cape::tracker
