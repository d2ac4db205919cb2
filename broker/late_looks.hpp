// When the refresh walk reads again what a source has handed out last of a subject, to see whether an event
// has appeared in there: a few times after the last hand-out, further and further apart, and then no more. So
// subjects at rest cost their source nothing. Pure.
#pragma once

#include <cstdint>

#include "core/clock.hpp"

namespace cape::broker {

// The first walk that begins so long after the last hand-out reads it.
inline constexpr std::int64_t late_looks_s[] = {1, 10, 60, 600};

// `before_wall_ns`: when the last whole walk began; 0: nobody knows.
constexpr bool late_look_is_due(std::int64_t given_wall_s, std::int64_t before_wall_ns,
                                std::int64_t walk_wall_ns) {
  for (const std::int64_t after_s : late_looks_s) {
    const std::int64_t due_ns = (given_wall_s + after_s) * ns_per_s;
    if (before_wall_ns < due_ns && due_ns <= walk_wall_ns) return true;
  }
  return false;
}

}  // namespace cape::broker
