#include "host/worker/crash_record.hpp"

namespace cape::host {

bool is_crash(OutcomeKind end) {
  switch (end) {
    case OutcomeKind::signaled:
    case OutcomeKind::exited:
    case OutcomeKind::oom:
    case OutcomeKind::violation:
    case OutcomeKind::protocol:
      return true;
    default:
      return false;
  }
}

void CrashRecord::crashed(const std::string& subject, std::int64_t now_ns) {
  std::erase_if(crashes_, [&](const auto& crash) { return crash.second <= now_ns - crash_window_ns; });
  crashes_[subject] = now_ns;
  if (crashes_.size() < crashed_subjects_max) return;
  set_aside_ = true;
  crashes_.clear();
}

void CrashRecord::succeeded() {
  crashes_.clear();
  set_aside_ = false;
}

}  // namespace cape::host
