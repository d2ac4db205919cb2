#include "host/child/watch.hpp"

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cape::child {
namespace {

// Not IN_MODIFY: a file that is being written would wake us for each write; its end is CLOSE_WRITE, and the
// stillness rule notices the writes. CREATE: a hard link or a symlink has no other event. ATTRIB: a chmod may
// have made it readable.
constexpr std::uint32_t watched_events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                         IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::size_t read_bytes_max = 64u << 10;

}  // namespace

Result<DirectoryWatch> DirectoryWatch::make() {
  UniqueFd inotify{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (!inotify) {
    return fail_errno(ErrorCode::io, "cannot watch plugin directories (raise fs.inotify.max_user_instances)",
                      errno);
  }
  return DirectoryWatch(std::move(inotify));
}

Result<void> DirectoryWatch::add(const fs::path& dir) {
  const int descriptor = inotify_add_watch(inotify_.get(), dir.c_str(), watched_events);
  if (descriptor < 0)
    return fail_errno(ErrorCode::io, "cannot watch the plugin directory " + dir.string(), errno);
  dirs_[descriptor] = dir;
  return {};
}

DirectoryWatch::Changes DirectoryWatch::read() {
  Changes changes;
  alignas(inotify_event) std::array<char, read_bytes_max> buffer;
  const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < got;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = buffer.data() + at + sizeof event;
    at += static_cast<ssize_t>(sizeof event + event.len);
    const auto dir = dirs_.find(event.wd);
    if ((event.mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) {
      changes.lost = true;
      if ((event.mask & IN_IGNORED) != 0 && dir != dirs_.end()) dirs_.erase(dir);
      continue;
    }
    if (dir != dirs_.end() && event.len > 0) changes.touched.push_back(dir->second / name);
  }
  return changes;
}

}  // namespace cape::child
