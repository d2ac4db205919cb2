// plugins/files/facts.hpp
// Facts are what the kernel says about one name in a directory, as far as a change of it shows there.
// Pure values and one look. Times are nanoseconds since 1970, UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace files {

struct Facts {
  std::uint32_t kind = 0;  // S_IFREG, S_IFDIR, S_IFLNK, ...
  std::int64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0: the file system does not tell
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::int64_t seen_ns = 0;  // when this look was taken

  bool is_directory() const;
};

// nullopt: nothing has that name. Throws std::system_error if it cannot be told. Follows no symbolic link.
std::optional<Facts> look(int directory, const std::string& name);

// The same file or directory, perhaps under another name. Inode numbers are used again; times of birth are
// not.
bool same_identity(const Facts& a, const Facts& b);

// So young when it was looked at that a later write may have left every time and size as they were: on
// kernels with coarse clocks a time stands still for some milliseconds.
bool is_racy(const Facts& seen);

const char* name_of_kind(std::uint32_t kind);  // "file", "directory", "symlink", "other"

std::int64_t now_ns();  // wall clock

}  // namespace files
