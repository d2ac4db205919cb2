// storage/files.hpp
// Directories and files with exact permissions, whatever the umask, and whether a path still names the file
// it named before. Errors name the path and the next step. Any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "core/error.hpp"

namespace cape::storage {

namespace fs = std::filesystem;

// Makes `dir` and its parents; what it makes gets `mode`, what is there keeps its own.
Result<void> make_directory(const fs::path& dir, mode_t mode);

// Makes an empty file with `mode`; one that is there keeps its bytes and gets `mode`. It never opens a file
// that is there: closing that descriptor would drop this process's SQLite locks on it.
Result<void> make_file(const fs::path& file, mode_t mode);

// Refuses a database that is gone, or empty, while its log is there: it was deleted while in use, and SQLite
// would make a new one and throw the log away, with all that only the log has.
Result<void> refuse_orphaned_log(const fs::path& database);

// Which file a path named when the value was made.
class FileIdentity {
public:
  static Result<FileIdentity> of(const fs::path& file);
  // False: the path is gone or names another file now.
  bool still_holds() const;
  const fs::path& file() const { return file_; }

private:
  fs::path file_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace cape::storage
