#include "day_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cape/outcome.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace audit_log {
namespace {

const char* next_step(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space on its disk";
    case EFBIG:
      return "raise limits.file_bytes of this lambda or move the file away";
    case EACCES:
    case EPERM:
    case EROFS:
      return "make its directory writable for the state grant";
    default:
      return "it is tried again";
  }
}

// read at `offset` until the buffer is full or the file ends.
ssize_t read_at(int fd, char* buffer, std::size_t bytes, std::uint64_t offset) {
  ssize_t got = 0;
  do {
    got = ::pread(fd, buffer, bytes, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

std::string day_name(std::time_t seconds) {
  std::tm day{};
  ::gmtime_r(&seconds, &day);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d.jsonl", &day);
  return std::string(text.data(), length);
}

DayFile::DayFile(std::string path, bool create) : path_(std::move(path)) {
  const int create_flag = create ? O_CREAT : 0;
  fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | create_flag, 0644);
  if (fd_ < 0 && errno == ENOENT && !create) return;
  if (fd_ < 0) fail("opened");
  try {
    cut_incomplete_line();
  } catch (...) {
    close();
    throw;
  }
}

DayFile::DayFile(DayFile&& other) noexcept {
  *this = std::move(other);
}

DayFile& DayFile::operator=(DayFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(directory_synced_, other.directory_synced_);
  std::swap(bytes_cut_, other.bytes_cut_);
  return *this;
}

DayFile::~DayFile() {
  close();
}

bool DayFile::is_current() const {
  struct stat opened {
  }, named{};
  if (fd_ < 0 || ::fstat(fd_, &opened) != 0 || ::stat(path_.c_str(), &named) != 0) return false;
  return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

void DayFile::append(std::string_view lines) {
  const std::uint64_t before = size();
  try {
    write_all(lines);
  } catch (...) {
    // If even this fails the next opening cuts what is left: close, so that there is one.
    if (::ftruncate(fd_, static_cast<off_t>(before)) != 0) close();
    throw;
  }
}

void DayFile::sync() {
  if (::fdatasync(fd_) != 0) fail("synced");
  if (!directory_synced_) sync_directory();
  directory_synced_ = true;
}

std::uint64_t DayFile::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail("examined");
  return static_cast<std::uint64_t>(status.st_size);
}

void DayFile::cut_incomplete_line() {
  const std::uint64_t whole = size();
  std::array<char, 4096> block;
  std::uint64_t end = whole;
  while (end > 0) {
    const std::uint64_t start = end - std::min<std::uint64_t>(end, block.size());
    const ssize_t got = read_at(fd_, block.data(), static_cast<std::size_t>(end - start), start);
    if (got < 0) fail("read");
    const std::size_t newline = std::string_view(block.data(), static_cast<std::size_t>(got)).rfind('\n');
    if (newline != std::string_view::npos) {
      end = start + newline + 1;
      break;
    }
    end = start;
  }
  if (end == whole) return;
  if (::ftruncate(fd_, static_cast<off_t>(end)) != 0) fail("cut back to its last whole line");
  bytes_cut_ = whole - end;
}

void DayFile::write_all(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("written");
    lines.remove_prefix(static_cast<std::size_t>(written));  // a short write: the next one names the reason
  }
}

void DayFile::sync_directory() const {
  const std::string directory = path_.substr(0, path_.rfind('/') + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("synced with its directory");
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  errno = error;
  if (result != 0) fail("synced with its directory");
}

void DayFile::fail(const char* doing) const {
  const int error = errno;
  throw cape::Failure(cape::Outcome::retry(path_ + " cannot be " + doing + ": " +
                                           std::generic_category().message(error) + "; " + next_step(error))
                          .with_code(error));
}

void DayFile::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace audit_log
