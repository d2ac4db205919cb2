#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "core/unique_fd.hpp"
#include "storage/cursor_store.hpp"
#include "storage/files.hpp"
#include "storage/lock_alone.hpp"

namespace cape::storage {
namespace {

// A process that was killed while it made a child has left the lock to it, until that execs.
constexpr std::int64_t half_made_child_ms = 2'000;

// The holder writes its number right after it has the lock. 0: none is there.
pid_t holder(int fd) {
  std::array<char, 32> digits{};
  const ssize_t count = ::pread(fd, digits.data(), digits.size(), 0);
  pid_t pid = 0;
  if (count > 0) std::from_chars(digits.data(), digits.data() + count, pid);
  return pid;
}

bool is_gone(pid_t pid) {
  return pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

Result<void> sign(int fd) {
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail_errno(ErrorCode::io, "cannot write the lock file; make room on its file system", errno);
  }
  return {};
}

}  // namespace

Result<DataDirLock> DataDirLock::take(const fs::path& data_dir, Part part) {
  // 0755: children reach the directories they were granted below it.
  if (Result<void> made = make_directory(data_dir, 0755); !made) return std::unexpected(made.error());
  const fs::path file = data_dir / (part == Part::broker ? "lock" : "host.lock");
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) {
    const int saved_errno = errno;
    return fail_errno(ErrorCode::io,
                      fmt::format("cannot open {}; let this user write {}", file.string(), data_dir.string()),
                      saved_errno);
  }
  const pid_t before = holder(fd.get());
  const Result<bool> alone = lock_alone(fd.get(), is_gone(before) ? half_made_child_ms : 0);
  if (!alone) return fail(alone.error().code, fmt::format("{}: {}", file.string(), alone.error().message));
  if (!*alone)
    return fail(
        ErrorCode::conflict,
        fmt::format(
            "{} is in use by {}, which has a {} in it: stop that one first, or choose another data_dir",
            data_dir.string(), before > 0 ? fmt::format("process {}", before) : "another process",
            part == Part::broker ? "broker" : "host"));
  if (Result<void> signed_ = sign(fd.get()); !signed_) return std::unexpected(signed_.error());
  return DataDirLock(fd.release());
}

DataDirLock::DataDirLock(int fd) : fd_(fd) {}
DataDirLock::DataDirLock(DataDirLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
DataDirLock& DataDirLock::operator=(DataDirLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
DataDirLock::~DataDirLock() {
  if (fd_ >= 0)
    ::close(fd_);  // releases the lock; the file stays, so that no two processes lock different files
}

}  // namespace cape::storage
