#include "storage/life_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

#include "storage/lock_alone.hpp"

namespace cape::storage {
Result<UniqueFd> take_life_lock(const fs::path& data_dir, std::int64_t wait_ms, Part part) {
  const fs::path file = data_dir / (part == Part::broker ? "children.lock" : "host_children.lock");
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    const int saved_errno = errno;
    return fail_errno(ErrorCode::io,
                      fmt::format("cannot open {}; let this user write {}", file.string(), data_dir.string()),
                      saved_errno);
  }
  const Result<bool> alone = lock_alone(fd.get(), wait_ms);
  if (!alone) return fail(alone.error().code, fmt::format("{}: {}", file.string(), alone.error().message));
  if (!*alone) {
    return fail(
        ErrorCode::conflict,
        fmt::format(
            "children of an earlier start still run in {} after {} ms: `fuser {}` names them; end them, "
            "then start again",
            data_dir.string(), wait_ms, file.string()));
  }
  // Not atomic, which is harmless: only the holder of the data_dir lock comes here.
  if (::flock(fd.get(), LOCK_SH) != 0) return fail_errno(ErrorCode::io, "cannot share the life lock", errno);
  return fd;
}

}  // namespace cape::storage
