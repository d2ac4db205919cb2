#include "host/child/file_mark.hpp"

#include "core/clock.hpp"
#include "host/child/signature.hpp"

namespace cape::child {
namespace {

std::int64_t to_ns(const timespec& time) {
  return time.tv_sec * ns_per_s + time.tv_nsec;
}

}  // namespace

FileMark mark_of(const struct stat& status) {
  return {.present = true,
          .regular = S_ISREG(status.st_mode),
          .set_id = (status.st_mode & (S_ISUID | S_ISGID)) != 0,
          .device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = to_ns(status.st_mtim),
          .changed_ns = to_ns(status.st_ctim)};
}

FileMark look_at(const fs::path& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 ? mark_of(status) : FileMark{};
}

FileMark look_at(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 ? mark_of(status) : FileMark{};
}

FileMark look_at_signed(const fs::path& path) {
  FileMark mark = look_at(path);
  const FileMark beside = look_at(fs::path(path.string() + std::string(signature_suffix)));
  mark.signature = 1;
  for (const std::uint64_t part :
       {beside.inode, beside.bytes, static_cast<std::uint64_t>(beside.modified_ns),
        static_cast<std::uint64_t>(beside.changed_ns), std::uint64_t{beside.present}})
    mark.signature = (mark.signature ^ part) * 1099511628211ull;  // FNV-1a
  return mark;
}

bool is_plugin_name(std::string_view name) {
  return name.size() > 3 && name.ends_with(".so") && !name.starts_with('.');
}

fs::path plugin_of_signature(const fs::path& path) {
  if (path.extension() != signature_suffix) return {};
  const fs::path plugin = path.parent_path() / path.stem();
  return is_plugin_name(plugin.filename().native()) ? plugin : fs::path();
}

}  // namespace cape::child
