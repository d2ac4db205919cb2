#include "below.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace files_below {
namespace {

constexpr int to_pass = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int to_read = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Names that could lead up or nowhere come only from whoever wrote the path, never from a directory.
bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos;
}

Fd walk(int root, std::string_view path, int last_flags) {
  Fd at;
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (!is_name(name)) {
      errno = ENOENT;
      return {};
    }
    const bool last = slash == std::string_view::npos;
    at = Fd(::openat(at ? at.get() : root, name.c_str(), last ? last_flags : to_pass));
    if (!at || last) return at;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Fd open_directory(int root, std::string_view path) {
  return path.empty() ? Fd(::openat(root, ".", to_read)) : walk(root, path, to_read);
}

Fd open_file(int root, std::string_view path) {
  // O_NONBLOCK: a fifo would wait for its writer.
  Fd found = walk(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  struct stat facts = {};
  if (found && ::fstat(found.get(), &facts) == 0 && S_ISREG(facts.st_mode)) return found;
  if (found || errno == ELOOP || errno == ENXIO) errno = ENOENT;
  return {};
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace files_below
