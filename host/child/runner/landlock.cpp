#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/unique_fd.hpp"
#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

// As the newest kernel has it; older ones take the front part. The system's header may be older than the
// kernel.
struct RulesetAttr {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;  // ABI 4
  std::uint64_t scoped = 0;              // ABI 6
};
constexpr std::uint64_t fs_abi_1 = (1ull << 13) - 1;
constexpr std::uint64_t fs_refer = 1ull << 13;      // ABI 2
constexpr std::uint64_t fs_truncate = 1ull << 14;   // ABI 3
constexpr std::uint64_t fs_ioctl_dev = 1ull << 15;  // ABI 5
constexpr std::uint64_t net_all = 0b11;             // bind and connect of TCP
constexpr std::uint64_t net_connect = 0b10;
constexpr std::uint64_t scope_all = 0b11;  // abstract sockets, signals

constexpr std::uint64_t may_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t may_write = may_read | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | fs_refer |
                                    fs_truncate;

RulesetAttr everything(int abi) {
  RulesetAttr attr{.handled_access_fs = fs_abi_1};
  if (abi >= 2) attr.handled_access_fs |= fs_refer;
  if (abi >= 3) attr.handled_access_fs |= fs_truncate;
  if (abi >= 5) attr.handled_access_fs |= fs_ioctl_dev;
  if (abi >= 4) attr.handled_access_net = net_all;
  if (abi >= 6) attr.scoped = scope_all;
  return attr;
}

std::size_t attr_bytes(int abi) {
  return abi >= 6 ? sizeof(RulesetAttr) : abi >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

Result<void> allow(int ruleset, const std::string& path, std::uint64_t rights) {
  const UniqueFd at(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!at) return fail_errno(ErrorCode::io, "landlock rule for " + path, errno);
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = rights;
  rule.parent_fd = at.get();
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return fail_errno(ErrorCode::io, "landlock rule for " + path, errno);
  return {};
}

struct NetPortAttr {  // ABI 4; not in every header
  std::uint64_t allowed_access, port;
};
constexpr int rule_net_port = 2;

Result<void> allow_ports(int ruleset, const Setup& setup, int abi) {
  if (!setup.network.empty() && abi < 4)
    return fail(
        ErrorCode::invalid,
        "grant.network needs landlock ABI 4 (Linux 6.7), by which alone ports are kept; this kernel has " +
            std::to_string(abi) + ". Take network out of the grant or use a newer kernel");
  for (const std::uint16_t port : setup.network) {
    const NetPortAttr rule{.allowed_access = net_connect, .port = port};
    if (syscall(SYS_landlock_add_rule, ruleset, rule_net_port, &rule, 0) != 0)
      return fail_errno(ErrorCode::io, "landlock rule for port " + std::to_string(port), errno);
  }
  return {};
}

Result<void> allow_grants(int ruleset, const Setup& setup, std::uint64_t handled) {
  for (const std::string& dir : setup.read)
    if (Result<void> done = allow(ruleset, dir, may_read & handled); !done) return done;
  for (const std::string& dir : setup.code)
    if (Result<void> done = allow(ruleset, dir, may_read & handled); !done) return done;
  std::vector<std::string> writable = setup.write;
  if (!setup.state_dir.empty()) writable.push_back(setup.state_dir);
  for (const std::string& dir : writable)
    if (Result<void> done = allow(ruleset, dir, may_write & handled); !done) return done;
  return {};
}

}  // namespace

Result<int> enter_landlock(const Setup& setup, std::string_view plugin_path) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return refused("not in this kernel; boot with landlock in lsm=");
  const int known = static_cast<int>(std::min(abi, 7L));  // a newer kernel may handle more than we do
  const RulesetAttr attr = everything(known);
  const UniqueFd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, attr_bytes(known), 0)));
  if (!ruleset) return fail_errno(ErrorCode::io, "landlock ruleset", errno);
  if (Result<void> done = allow_grants(ruleset.get(), setup, attr.handled_access_fs); !done)
    return std::unexpected(done.error());
  if (Result<void> done = allow_ports(ruleset.get(), setup, known); !done)
    return std::unexpected(done.error());
  // A sealed memfd lies in no directory and needs no rule.
  if (!plugin_path.starts_with("/proc/"))
    if (Result<void> done = allow(ruleset.get(), std::string(plugin_path), LANDLOCK_ACCESS_FS_READ_FILE);
        !done)
      return std::unexpected(done.error());
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return fail_errno(ErrorCode::io, "landlock_restrict_self", errno);
  return known;
}

}  // namespace cape::child
