// host/child/file_mark.hpp
// FileMark is what a directory entry looks like from outside. Two equal marks some time apart mean that
// nobody touched the file in between: that is how intake knows that a copy into a directory has ended.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string_view>

#include "core/config/config.hpp"

namespace cape::child {

struct FileMark {
  bool present = false;
  bool regular = false;
  bool set_id = false;  // it has the set-user-id or set-group-id bit
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t modified_ns = 0;  // wall time
  std::int64_t changed_ns = 0;   // ctime: a copy that restores the old mtime still moves it
  // Of the signature beside it, where those count: another number when that file is another one. 0: not
  // looked at.
  std::uint64_t signature = 0;

  bool operator==(const FileMark&) const = default;
  std::int64_t touched_ns() const { return modified_ns > changed_ns ? modified_ns : changed_ns; }
};

FileMark mark_of(const struct stat& status);
FileMark look_at(const fs::path& path);  // does not follow a symlink
FileMark look_at(int fd);
// The same as look_at(path), and whether its signature has changed.
FileMark look_at_signed(const fs::path& path);

// `*.so`, but no dot files. What is still being written (*.tmp, *.part, *~) does not end in .so.
bool is_plugin_name(std::string_view name);
// The plugin whose signature this is; empty: it is not the name of one.
fs::path plugin_of_signature(const fs::path& path);

}  // namespace cape::child
