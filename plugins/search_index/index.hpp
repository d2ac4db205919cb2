// plugins/search_index/index.hpp
// Index is the full-text index of a tree, STATE_DIR/index.db: one row a file, its text in FTS5 under the same
// rowid. `cape search` reads it while it is written. What is changed is one transaction until commit().
//   file(id, path)     path relative to the root, as bytes
//   text(path, body)   FTS5; what of a path is not UTF-8 is left out of its words
// Thread: one at a time. Trouble leaves as sqlite_file::Trouble; what was not committed is then gone.
#pragma once

#include <string>
#include <string_view>

#include "sqlite_file.hpp"

namespace search_index {

class Index {
 public:
  explicit Index(const std::string& path);

  void put(std::string_view path, std::string_view body);
  bool remove(std::string_view path);  // false: it was not in it
  void commit();
  void roll_back() noexcept { connection_.roll_back(); }

 private:
  void begin();
  std::int64_t find(std::string_view path);  // 0: it is not in it

  sqlite_file::Connection connection_;
  sqlite_file::Statement find_, add_, drop_, add_text_, drop_text_;
};

}  // namespace search_index
