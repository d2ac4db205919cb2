#include "facts.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace files {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t racy_ns =
    20'000'000;  // two ticks of the slowest kernel clock, 100 Hz; hints wait longer than that

std::int64_t ns_of(const struct statx_timestamp& at) {
  return at.tv_sec * ns_per_s + at.tv_nsec;
}

}  // namespace

bool Facts::is_directory() const {
  return kind == S_IFDIR;
}

std::optional<Facts> look(int directory, const std::string& name) {
  Facts facts;
  facts.seen_ns = now_ns();
  struct statx found = {};
  if (::statx(directory, name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw std::system_error(errno, std::generic_category(), "stat of '" + name + "'");
  }
  facts.kind = found.stx_mode & S_IFMT;
  facts.inode = static_cast<std::int64_t>(found.stx_ino);
  facts.birth_ns = (found.stx_mask & STATX_BTIME) != 0 ? ns_of(found.stx_btime) : 0;
  facts.mtime_ns = ns_of(found.stx_mtime);
  facts.ctime_ns = ns_of(found.stx_ctime);
  facts.size = facts.is_directory() ? 0 : static_cast<std::int64_t>(found.stx_size);
  return facts;
}

bool same_identity(const Facts& a, const Facts& b) {
  if (a.kind != b.kind || a.inode != b.inode || a.birth_ns != b.birth_ns) return false;
  return a.birth_ns != 0 || a.is_directory() || (a.size == b.size && a.mtime_ns == b.mtime_ns);
}

bool is_racy(const Facts& seen) {
  return seen.ctime_ns > seen.seen_ns - racy_ns && seen.ctime_ns < seen.seen_ns + racy_ns;
}

const char* name_of_kind(std::uint32_t kind) {
  switch (kind) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    default:
      return "other";
  }
}

std::int64_t now_ns() {
  struct timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * ns_per_s + now.tv_nsec;
}

}  // namespace files
