#include "broker/failure_log.hpp"

#include <fmt/format.h>

namespace cape::broker {
namespace {

using scheduler::Notice;

constexpr std::size_t subject_shown_bytes = 80;

std::string what_next(const Notice& notice, std::int64_t now_ns) {
  if (notice.kind != Notice::Kind::attempt_failed) return "parked: it waits for an operator";
  return fmt::format("next try in {} ms", (notice.next_try_ns - now_ns) / ns_per_ms);
}

}  // namespace

FailureLog::FailureLog(const scheduler::SchedulerPlan& plan)
    : plan_(plan), limits_(plan.lambdas.size(), LineLimit(lines_per_s, burst_lines)) {}

std::string FailureLog::name_of(LambdaIndex lambda) const {
  const scheduler::LambdaSpec& spec = plan_.lambdas[lambda];
  return plan_.topologies[spec.topology].name + "." + spec.name;
}

std::optional<std::string> FailureLog::line(const Notice& notice, std::int64_t now_ns) {
  if (!limits_[notice.lambda].admit(now_ns)) return std::nullopt;
  const std::string subject = printable(notice.subject, subject_shown_bytes);
  const std::string& reason = notice.outcome.reason;
  if (notice.kind == Notice::Kind::source_went_back)
    return fmt::format("{}: '{}' is parked: {}", plan_.topologies[notice.topology].name, subject, reason);
  if (notice.kind == Notice::Kind::late)
    return fmt::format("{}: event {} of '{}' appeared below what the source had given; see `cape coverage`",
                       plan_.topologies[notice.topology].name, notice.sequence, subject);
  if (notice.kind == Notice::Kind::unreadable)
    return fmt::format("{}: '{}' cannot be read on: {}; {}", name_of(notice.lambda), subject, reason,
                       what_next(notice, now_ns));
  return fmt::format("{}: event {} of '{}' failed (attempt {}): {} {}; {}", name_of(notice.lambda),
                     notice.sequence, subject, notice.attempts, cape::name_of(notice.outcome.kind), reason,
                     what_next(notice, now_ns));
}

std::vector<std::string> FailureLog::held_back(std::int64_t now_ns) {
  std::vector<std::string> lines;
  for (LambdaIndex lambda = 0; lambda < limits_.size(); ++lambda)
    if (const std::uint64_t count = limits_[lambda].take_held_back(now_ns); count > 0)
      lines.push_back(fmt::format("{}: {} more events failed; see `cape topology list` and `cape subject`",
                                  name_of(lambda), count));
  return lines;
}

}  // namespace cape::broker
