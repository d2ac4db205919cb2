#include "host/child/sandbox/identity.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/unique_fd.hpp"

namespace cape::child {
namespace {

// Far above what distributions give out and below the range of 16-bit container blocks near 2^31.
constexpr std::uint32_t unused_ids_begin = 1'870'000'000;
constexpr std::uint32_t unused_ids_count = 65'536;
constexpr std::uint32_t nobody = 65'534;

struct IdRange {
  std::uint32_t first = 0, outside = 0, count = 0;
};

std::vector<IdRange> ranges_of(const char* file) {
  std::vector<IdRange> ranges;
  std::ifstream lines(file);
  for (IdRange range; lines >> range.first >> range.outside >> range.count;) ranges.push_back(range);
  return ranges;
}

// Ours: never changed once they are written.
const std::vector<IdRange>& own_users() {
  static const std::vector<IdRange> ranges = ranges_of("/proc/self/uid_map");
  return ranges;
}
const std::vector<IdRange>& own_groups() {
  static const std::vector<IdRange> ranges = ranges_of("/proc/self/gid_map");
  return ranges;
}

bool holds(const std::vector<IdRange>& ranges, std::uint32_t id) {
  for (const IdRange& range : ranges)
    if (id >= range.first && id - range.first < range.count) return true;
  return false;
}

bool is_mapped(std::uint32_t id) {
  return holds(own_users(), id) && holds(own_groups(), id);
}

// Root of a container that maps itself alone can become nobody else, as an ordinary user cannot.
bool can_change_ids() {
  return geteuid() == 0 && is_mapped(nobody);
}

bool is_unused(std::uint32_t id) {
  return id >= unused_ids_begin && id - unused_ids_begin < unused_ids_count;
}

// In a container that maps few ids, nobody is the best there is.
Identity unused_identity(std::uint64_t salt) {
  const auto id = static_cast<std::uint32_t>(unused_ids_begin + salt % unused_ids_count);
  if (is_mapped(id)) return {.uid = id, .gid = id, .root_host = true, .unused = true};
  return {.uid = nobody, .gid = nobody, .root_host = true, .unused = false};
}

Result<Identity> owner_of(const fs::path& dir) {
  struct stat at = {};
  if (stat(dir.c_str(), &at) != 0)
    return fail_errno(
        ErrorCode::not_found,
        fmt::format("the granted directory {} cannot be read (create it or take it out of the grant)",
                    dir.native()),
        errno);
  return Identity{.uid = at.st_uid, .gid = at.st_gid, .root_host = true, .unused = is_unused(at.st_uid)};
}

// FNV-1a: the id of a state directory that does not exist yet, the same at every start.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

Identity identity_of_state(const fs::path& dir) {
  struct stat at = {};
  if (stat(dir.c_str(), &at) == 0 && is_unused(at.st_uid))
    return {.uid = at.st_uid, .gid = at.st_gid, .root_host = true, .unused = true};
  return unused_identity(hash_of(dir.native()));
}

Result<void> write_map(pid_t pid, const char* name, const std::string& text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(ErrorCode::io, "write of " + path, errno);
  return {};
}

// Every id we have ourselves, at its own number: the runner mounts as we would, then becomes the child's id.
std::string identity_map(const std::vector<IdRange>& own) {
  std::string text;
  for (const IdRange& range : own) text += fmt::format("{0} {0} {1}\n", range.first, range.count);
  return text;
}

}  // namespace

Result<Identity> choose_identity(const ChildSpec& spec, std::uint64_t salt) {
  if (!can_change_ids())
    return Identity{.uid = geteuid(), .gid = getegid(), .root_host = false, .unused = false};
  if (!spec.grant.read.empty()) return owner_of(spec.grant.read.front());
  if (!spec.grant.write.empty()) return owner_of(spec.grant.write.front());
  if (spec.grant.state) return identity_of_state(spec.state_dir);
  return unused_identity(salt);
}

Result<void> prepare_state_dir(const fs::path& dir, const Identity& identity) {
  std::error_code failed;
  fs::create_directories(dir.parent_path(), failed);
  if (failed)
    return fail(ErrorCode::io,
                fmt::format("the state directory {} cannot be made: {}", dir.native(), failed.message()));
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(ErrorCode::io, fmt::format("the state directory {} cannot be made", dir.native()),
                      errno);
  const UniqueFd at(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!at) return fail_errno(ErrorCode::io, fmt::format("the state directory {}", dir.native()), errno);
  struct stat now = {};
  if (fstat(at.get(), &now) == 0 && now.st_uid == identity.uid && now.st_gid == identity.gid) return {};
  if (fchown(at.get(), identity.uid, identity.gid) != 0)
    return fail_errno(ErrorCode::io,
                      fmt::format("the state directory {} cannot be given to id {}; let this user write it",
                                  dir.native(), identity.uid),
                      errno);
  return {};
}

Result<void> map_ids(pid_t pid) {
  if (can_change_ids()) {
    if (Result<void> done = write_map(pid, "uid_map", identity_map(own_users())); !done) return done;
    return write_map(pid, "gid_map", identity_map(own_groups()));
  }
  if (Result<void> done = write_map(pid, "setgroups", "deny"); !done) return done;
  if (Result<void> done = write_map(pid, "uid_map", fmt::format("{0} {0} 1", geteuid())); !done) return done;
  return write_map(pid, "gid_map", fmt::format("{0} {0} 1", getegid()));
}

}  // namespace cape::child
