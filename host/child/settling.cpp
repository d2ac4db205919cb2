#include "host/child/settling.hpp"

#include <algorithm>

namespace cape::child {

Settling::Seen Settling::saw(const fs::path& path, const FileMark& mark, std::int64_t now_ns) {
  const auto found = files_.find(path);
  if (found == files_.end()) {
    if (!mark.present) return Seen::nothing_new;
    files_.emplace(path, File{mark, now_ns + still_ns_});
    return Seen::restless;
  }
  File& file = found->second;
  if (mark != file.mark) {
    file = {mark, now_ns + still_ns_};
    return Seen::restless;
  }
  if (file.due_ns == 0 || now_ns < file.due_ns) return Seen::nothing_new;
  file.due_ns = 0;
  if (mark.present) return Seen::still;
  files_.erase(found);
  return Seen::gone;
}

Settling::Seen Settling::saw_at_start(const fs::path& path, const FileMark& mark, Now now) {
  saw(path, mark, now.boot_ns);
  const std::int64_t age_ns =
      now.wall_ns - mark.touched_ns();  // below 0: the clock was set back; then it waits
  if (age_ns >= still_ns_) again(path, now.boot_ns);
  return saw(path, mark, now.boot_ns);
}

void Settling::again(const fs::path& path, std::int64_t at_ns) {
  const auto found = files_.find(path);
  if (found != files_.end()) found->second.due_ns = at_ns;
}

std::vector<fs::path> Settling::due(std::int64_t now_ns) const {
  std::vector<fs::path> paths;
  for (const auto& [path, file] : files_) {
    if (file.due_ns != 0 && file.due_ns <= now_ns) paths.push_back(path);
  }
  return paths;
}

std::optional<std::int64_t> Settling::next_due() const {
  std::optional<std::int64_t> next;
  for (const auto& [path, file] : files_) {
    if (file.due_ns != 0) next = std::min(next.value_or(file.due_ns), file.due_ns);
  }
  return next;
}

std::vector<fs::path> Settling::known_in(const fs::path& dir) const {
  std::vector<fs::path> paths;
  for (const auto& [path, file] : files_) {
    if (path.parent_path() == dir) paths.push_back(path);
  }
  return paths;
}

}  // namespace cape::child
