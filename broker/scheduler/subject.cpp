#include "broker/scheduler/subject.hpp"

#include "core/error.hpp"

namespace cape::scheduler {

Stretch& Lane::of_job(JobId job) {
  std::size_t i = 0;
  while ((*this)[i].job != job) CAPE_CHECK(++i < size());
  return (*this)[i];
}

bool Lane::idle() const {
  for (const Stretch& stretch : earlier)
    if (!stretch.idle()) return false;
  return open.idle() && (!late || late->stretch.idle());
}

bool Lane::has_jobs() const {
  for (const Stretch& stretch : earlier)
    if (stretch.job != 0) return true;
  return open.job != 0 || (late && late->stretch.job != 0);
}

bool Lane::parked() const {
  for (const Stretch& stretch : earlier)
    if (stretch.parked) return true;
  return open.parked;
}

const Stretch& Lane::troubled() const {
  if (is_stopped()) return open;
  const auto weight = [](const Stretch& s) {
    return s.parked ? 3 : s.attempts > 0 || s.failing_since_wall_ns > 0 ? 2 : !s.reason.empty();
  };
  const Stretch* heaviest = &(*this)[0];
  for (std::size_t i = 1; i < line_size(); ++i)
    if (weight((*this)[i]) > weight(*heaviest)) heaviest = &(*this)[i];
  return *heaviest;
}

}  // namespace cape::scheduler
