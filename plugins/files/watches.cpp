#include "watches.hpp"

#include <sys/inotify.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace files {
namespace {

constexpr std::uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
                               IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
                               IN_DONT_FOLLOW | IN_EXCL_UNLINK;
constexpr std::size_t read_bytes = 64 << 10;
constexpr int reads_max = 64;  // at one go

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
      return "the user's watches are used up: raise the sysctl fs.inotify.max_user_watches";
    case EMFILE:
      return "the user's inotify instances are used up: raise the sysctl fs.inotify.max_user_instances";
    default:
      return std::strerror(error);
  }
}

}  // namespace

Watches::Watches(std::string root, std::function<void(const std::string&)> say)
    : root_(std::move(root)), say_(std::move(say)) {
  begin_again();
}

void Watches::begin_again() {
  complete_ = true;
  if (!inotify_) inotify_ = files_below::Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) complain(errno, "");
}

void Watches::complain(int error, const std::string& path) {
  complete_ = false;
  if (std::exchange(complained_about_, error) == error) return;
  say_("'" + root_ + (path.empty() ? "" : "/") + path + "' is not watched, " + remedy(error) +
       "; until then the tree is compared every few seconds");
}

void Watches::add(Directories& directories, DirectoryId id) {
  if (!inotify_) return;
  const std::string path = directories.path(id);
  // By path, so a link may lead it astray; then it watches for nothing, and the next comparison finds the
  // rest.
  const int watch =
      ::inotify_add_watch(inotify_.get(), (path.empty() ? root_ : root_ + "/" + path).c_str(), mask);
  if (watch >= 0) return directories.set_watch(id, watch);
  // Gone again, or unreadable: whoever lists it says so.
  if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) complain(errno, path);
}

void Watches::remove(Directories& directories, DirectoryId id) {
  const int watch = directories.watch(id);
  if (watch < 0) return;
  (void)::inotify_rm_watch(inotify_.get(), watch);  // it may have ended by itself
  directories.lose_watch(watch);
}

bool Watches::read(Directories& directories, Hints& hints, std::int64_t now_ns) {
  alignas(inotify_event) char buffer[read_bytes];
  for (int i = 0; inotify_ && i < reads_max; ++i) {
    const ssize_t bytes = ::read(inotify_.get(), buffer, sizeof buffer);
    if (bytes <= 0) {
      if (bytes < 0 && errno != EAGAIN && errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "read of inotify");
      break;
    }
    for (const char* at = buffer; at < buffer + bytes;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      const char* name = at + sizeof event;
      at = name + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) hints.compare_all();
      const DirectoryId id = directories.watched(event.wd);
      if (id == 0) continue;
      if ((event.mask & IN_IGNORED) != 0) directories.lose_watch(event.wd);
      if (id == root_id && (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) return false;
      if (event.len == 0) continue;
      const Key key{id, name};
      const bool moved = (event.mask & (IN_MOVED_FROM | IN_MOVED_TO)) != 0;
      (event.mask & ~IN_ISDIR) == IN_MODIFY ? hints.being_written(key, now_ns)
                                            : hints.changed(key, moved, now_ns);
    }
  }
  return true;
}

}  // namespace files
