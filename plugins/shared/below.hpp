// plugins/shared/below.hpp
// Reaching what lies below a directory without ever following a symbolic link: a path is walked name by name,
// so that a link put in its middle leads nowhere. Paths are relative, '/' between names, any bytes but NUL.
// Thread: any; no state.
#pragma once

#include <string_view>

#include "fd.hpp"

namespace files_below {

// The directory `path` below `root`; empty: `root` itself, opened anew. An empty Fd leaves why in errno.
Fd open_directory(int root, std::string_view path);

// The regular file `path` below `root` for reading. Empty with errno ENOENT too if something else lies there.
// Never waits, whatever lies there.
Fd open_file(int root, std::string_view path);

// "a/b" and "c" of "a/b/c"; "" and "c" of "c".
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace files_below
