#include "storage/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/unique_fd.hpp"

namespace cape::storage {
namespace {

std::unexpected<Error> failure(fmt::format_string<const std::string&> text, const fs::path& file) {
  const int saved_errno = errno;  // before anything allocates
  return fail_errno(ErrorCode::io, fmt::format(text, file.native()), saved_errno);
}

}  // namespace

Result<void> make_directory(const fs::path& dir, mode_t mode) {
  std::error_code ignored;
  if (fs::is_directory(dir, ignored)) return {};
  if (dir.has_parent_path() && dir.parent_path() != dir) {
    if (Result<void> parent = make_directory(dir.parent_path(), mode); !parent) return parent;
  }
  if (::mkdir(dir.c_str(), mode) == 0) {
    if (::chmod(dir.c_str(), mode) == 0) return {};
  } else if (errno == EEXIST && fs::is_directory(dir, ignored)) {
    return {};  // somebody was quicker
  }
  return failure("cannot make the directory {}; make it yourself, or choose another data_dir", dir);
}

Result<void> make_file(const fs::path& file, mode_t mode) {
  const UniqueFd made(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!made && errno != EEXIST) return failure("cannot make {}; let this user write its directory", file);
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return failure("cannot use {}", file);
  if ((status.st_mode & 0777) == mode || ::chmod(file.c_str(), mode) == 0) return {};
  if (errno == EPERM) return {};  // it belongs to another user, who may have given us access in another way
  return failure("cannot set the permissions of {}", file);
}

Result<void> refuse_orphaned_log(const fs::path& database) {
  struct stat status {};
  if (::stat(database.c_str(), &status) == 0 && status.st_size > 0) return {};
  const std::string log = database.native() + "-wal";
  if (::stat(log.c_str(), &status) != 0) return {};
  return fail(ErrorCode::io,
              fmt::format("{} was deleted while it was in use, its log {} is still there: put the same file "
                          "back. Or, with nothing of Cape running, take the log and {}-shm away; then "
                          "restore a backup or begin with an empty one",
                          database.native(), log, database.native()));
}

Result<FileIdentity> FileIdentity::of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    return failure("{} has vanished; restore it, or start again", file);
  }
  FileIdentity identity;
  identity.file_ = file;
  identity.device_ = status.st_dev;
  identity.inode_ = status.st_ino;
  return identity;
}

bool FileIdentity::still_holds() const {
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) return false;
  return status.st_dev == device_ && status.st_ino == inode_;
}

}  // namespace cape::storage
