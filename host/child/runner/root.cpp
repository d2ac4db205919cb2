#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/unique_fd.hpp"
#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

constexpr char plugin_path[] = "/plugin.so";
constexpr std::uint64_t root_slack_bytes = 64 << 10;

struct GrantedDir {
  std::string path;
  enum class Use { read, code, write } use = Use::read;
  UniqueFd tree;  // its mounts, cloned and restricted, not attached yet
};

std::unexpected<Error> cannot_grant(const GrantedDir& dir, std::string_view remedy) {
  const int saved = errno;
  std::string what = "the granted directory " + dir.path + " cannot be shown to the plugin (";
  what += remedy;
  return fail_errno(ErrorCode::io, what + ")", saved);
}

// Parents before what lies in them, and of one path the one that allows more last, on top.
std::vector<GrantedDir> granted_dirs(const Setup& setup) {
  std::vector<GrantedDir> dirs;
  using Use = GrantedDir::Use;
  for (const std::string& path : setup.read) dirs.push_back({path, Use::read, {}});
  for (const std::string& path : setup.code) dirs.push_back({path, Use::code, {}});
  for (const std::string& path : setup.write) dirs.push_back({path, Use::write, {}});
  if (!setup.state_dir.empty()) dirs.push_back({setup.state_dir, Use::write, {}});
  std::ranges::stable_sort(dirs, {}, [](const GrantedDir& dir) { return std::pair(dir.path, dir.use); });
  return dirs;
}

// Clones the directory with everything mounted below it, and restricts the clone before anybody can see it:
// a mount below that stayed without nosuid would be a hole.
Result<void> clone_tree(GrantedDir& dir) {
  const UniqueFd at(open(dir.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return cannot_grant(dir, "create it or take it out of the grant");
  dir.tree = UniqueFd(open_tree(at.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!dir.tree) return refused("open_tree");
  mount_attr wish = {};
  wish.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  // Libraries can be mapped from it, and nobody can run a program: the filters allow no exec at all.
  if (dir.use != GrantedDir::Use::code) wish.attr_set |= MOUNT_ATTR_NOEXEC;
  if (dir.use != GrantedDir::Use::write) wish.attr_set |= MOUNT_ATTR_RDONLY;
  if (mount_setattr(dir.tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &wish, sizeof wish) != 0)
    return cannot_grant(dir, "its mounts cannot be restricted");
  return {};
}

Result<UniqueFd> make_tmpfs(std::uint64_t bytes) {
  const UniqueFd context(fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context) return refused("fsopen tmpfs");
  const std::string size = std::to_string(bytes);
  const int fd = context.get();
  if (fsconfig(fd, FSCONFIG_SET_STRING, "size", size.c_str(), 0) != 0 ||
      fsconfig(fd, FSCONFIG_SET_STRING, "mode", "0755", 0) != 0 ||
      fsconfig(fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return refused("fsconfig tmpfs");
  UniqueFd mount(fsmount(fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  if (!mount) return refused("fsmount tmpfs");
  return mount;
}

Result<void> copy_plugin(int from, off_t bytes, int root) {
  const UniqueFd to(openat(root, plugin_path + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!to) return fail_errno(ErrorCode::io, "the plugin cannot be copied into its root directory", errno);
  fchmod(to.get(), 0444);  // whatever the umask says
  for (off_t done = 0; done < bytes;) {
    const ssize_t moved = sendfile(to.get(), from, &done, static_cast<size_t>(bytes - done));
    if (moved <= 0) return fail_errno(ErrorCode::io, "the plugin cannot be copied into its root directory", errno);
  }
  return {};
}

// mkdir -p below the new root, open to everybody: the walls are the mounts, not these modes.
Result<void> make_dirs(const std::string& path) {
  for (std::size_t end = path.find('/', 1); ; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), 0755) == 0) chmod(part.c_str(), 0755);
    else if (errno != EEXIST) return fail_errno(ErrorCode::io, "mkdir " + part + " in the child's root", errno);
    if (end == std::string::npos) return {};
  }
}

Result<void> attach(const GrantedDir& dir) {
  if (dir.path.size() < 2 || dir.path[0] != '/')
    return fail(ErrorCode::invalid, "'" + dir.path + "' cannot be granted: name a directory below /");
  if (Result<void> made = make_dirs(dir.path); !made) return made;
  if (move_mount(dir.tree.get(), "", AT_FDCWD, dir.path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return cannot_grant(dir, "move_mount");
  return {};
}

// The tmpfs goes on top of the old root, becomes the root, and the old one is let go.
Result<void> change_root(int root) {
  if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) return refused("move_mount of the root");
  if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
    return fail_errno(ErrorCode::io, "pivot_root", errno);
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return fail_errno(ErrorCode::io, "detach old root", errno);
  return {};
}

Result<void> make_read_only() {
  mount_attr wish = {};
  wish.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (mount_setattr(AT_FDCWD, "/", 0, &wish, sizeof wish) != 0)
    return fail_errno(ErrorCode::io, "the child's root cannot be made read-only", errno);
  return {};
}

// Everything that needs the old root is opened here; nothing of our own view has changed when it fails.
Result<UniqueFd> open_all(std::vector<GrantedDir>& dirs, int plugin_fd) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return refused("private mounts");
  for (GrantedDir& dir : dirs)
    if (Result<void> cloned = clone_tree(dir); !cloned) return std::unexpected(cloned.error());
  struct stat plugin = {};
  if (fstat(plugin_fd, &plugin) != 0) return fail_errno(ErrorCode::io, "fstat of the plugin", errno);
  Result<UniqueFd> root = make_tmpfs(static_cast<std::uint64_t>(plugin.st_size) + root_slack_bytes);
  if (!root) return root;
  if (Result<void> copied = copy_plugin(plugin_fd, plugin.st_size, root->get()); !copied)
    return std::unexpected(copied.error());
  return root;
}

}  // namespace

Result<std::string> enter_root(const Setup& setup, int plugin_fd) {
  std::vector<GrantedDir> dirs = granted_dirs(setup);
  Result<UniqueFd> root = open_all(dirs, plugin_fd);
  if (!root) return std::unexpected(root.error());
  if (Result<void> changed = change_root(root->get()); !changed) return std::unexpected(changed.error());
  const std::string work = setup.working_dir.empty() ? "/" : setup.working_dir;
  for (const GrantedDir& dir : dirs)
    if (Result<void> attached = attach(dir); !attached) return std::unexpected(attached.error());
  if (Result<void> made = work == "/" ? Result<void>() : make_dirs(work); !made)
    return std::unexpected(made.error());
  if (Result<void> closed = make_read_only(); !closed) return std::unexpected(closed.error());
  if (chdir(work.c_str()) != 0) return fail_errno(ErrorCode::io, "chdir " + work, errno);
  return plugin_path;
}

Result<std::string> stay_in_host_root(const Setup& setup) {
  const auto holds = [&](const std::string& dir) {
    return !dir.empty() && (setup.working_dir == dir || setup.working_dir.starts_with(dir + "/"));
  };
  const bool visible = std::ranges::any_of(setup.read, holds) || std::ranges::any_of(setup.write, holds) ||
                       std::ranges::any_of(setup.code, holds) || holds(setup.state_dir);
  const char* work = visible ? setup.working_dir.c_str() : "/";
  if (chdir(work) != 0) return fail_errno(ErrorCode::io, std::string("chdir ") + work, errno);
  return "/proc/self/fd/" + std::to_string(fd_plugin);
}

}  // namespace cape::child
