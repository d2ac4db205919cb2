// broker/failure_log.hpp
// FailureLog turns what went wrong with events into lines for a person: at most a few a second for each
// lambda, and then how many more there were. A plugin that fails everything must not drown the log, nor slow
// the loop. Pure: the caller writes the lines. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/plan.hpp"
#include "core/rate_limit.hpp"

namespace cape::broker {

class FailureLog {
 public:
  static constexpr std::int64_t lines_per_s = 5, burst_lines = 20;  // of one lambda

  explicit FailureLog(const scheduler::SchedulerPlan& plan);  // which must outlive it

  // The line for `notice`, of any kind that names a lambda; nullopt: it was held back and counted.
  std::optional<std::string> line(const scheduler::Notice& notice, std::int64_t now_ns);
  // Call it every second: one line for each lambda of which lines were held back.
  std::vector<std::string> held_back(std::int64_t now_ns);

 private:
  std::string name_of(LambdaIndex lambda) const;

  const scheduler::SchedulerPlan& plan_;
  std::vector<LineLimit> limits_;  // by LambdaIndex
};

}  // namespace cape::broker
