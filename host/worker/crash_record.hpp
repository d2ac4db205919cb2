// host/worker/crash_record.hpp
// CrashRecord decides when a plugin is at fault rather than an event: events of several different subjects
// crashed it within a minute and none succeeded between. Then it is set aside: one event at a time probes it,
// and one success clears it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/clock.hpp"
#include "core/types.hpp"

namespace cape::host {

inline constexpr std::size_t crashed_subjects_max = 5;
inline constexpr std::int64_t crash_window_ns = 60 * ns_per_s;

bool is_crash(OutcomeKind end);  // the child's own fault, while an event ran

class CrashRecord {
 public:
  // An event of `subject` crashed its child.
  void crashed(const std::string& subject, std::int64_t now_ns);
  void succeeded();  // an event succeeded

  bool is_set_aside() const { return set_aside_; }

 private:
  std::map<std::string, std::int64_t> crashes_;  // latest of each subject; at most crashed_subjects_max
  bool set_aside_ = false;
};

}  // namespace cape::host
