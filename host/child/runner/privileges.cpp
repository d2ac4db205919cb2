#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

struct Capabilities {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2] = {};
  bool empty() const {
    return (words[0].permitted | words[0].effective | words[0].inheritable | words[1].permitted |
            words[1].effective | words[1].inheritable) == 0;
  }
  bool effective(unsigned capability) const {
    return (words[capability / 32].effective >> (capability % 32) & 1u) != 0;
  }
};

Result<Capabilities> capabilities_now() {
  Capabilities now;
  if (syscall(SYS_capget, &now.header, now.words) != 0) return fail_errno(ErrorCode::io, "capget", errno);
  return now;
}

// Needs CAP_SETPCAP; who lacks it has nothing that these could take away.
Result<void> close_the_ways_back() {
  constexpr unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  const Result<Capabilities> now = capabilities_now();
  if (!now) return std::unexpected(now.error());
  if (!now->effective(CAP_SETPCAP)) return {};
  if (prctl(PR_SET_SECUREBITS, bits) != 0) return fail_errno(ErrorCode::io, "securebits", errno);
  unsigned long capability = 0;
  while (prctl(PR_CAPBSET_DROP, capability) == 0) ++capability;
  if (errno != EINVAL) return fail_errno(ErrorCode::io, "capability bounds", errno);  // EINVAL: past the last one
  return {};
}

Result<void> give_up_capabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  Capabilities none;
  if (syscall(SYS_capset, &none.header, none.words) != 0) return fail_errno(ErrorCode::io, "capset", errno);
  const Result<Capabilities> left = capabilities_now();
  if (!left) return std::unexpected(left.error());
  if (!left->empty()) return fail(ErrorCode::io, "capabilities are left after dropping all");
  return {};
}

bool change_ids(const Setup& setup) {
  return setgroups(0, nullptr) == 0 && setresgid(setup.inner_gid, setup.inner_gid, setup.inner_gid) == 0 &&
         setresuid(setup.inner_uid, setup.inner_uid, setup.inner_uid) == 0;
}

}  // namespace

Result<void> drop_to(const Setup& setup, Layers& layers) {
  // An ordinary user can map only its own id, and may not let go of its supplementary groups.
  if (Result<void> closed = close_the_ways_back(); !closed) return closed;
  if (setup.root_host && !change_ids(setup)) return fail_errno(ErrorCode::io, "change of user and group", errno);
  if (Result<void> dropped = give_up_capabilities(); !dropped) return dropped;
  if (setup.root_host && setup.inner_uid != 0) layers.on("uid");
  else layers.off("uid", setup.root_host ? "owner of the grant is uid 0, which the child is without capabilities"
                                         : "same uid as the host; run it as root for a uid of its own");
  return {};
}

// No id is mapped, so setuid(), chown() to others and further user namespaces all fail; files are reached as
// before, since their rights go by the outer id.
Result<void> enter_nested_userns() {
  if (unshare(CLONE_NEWUSER) != 0) return refused("unshare");
  if (Result<void> closed = close_the_ways_back(); !closed) return closed;
  return give_up_capabilities();
}

Result<void> bind_to_parent() {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno(ErrorCode::io, "parent death signal", errno);
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return fail_errno(ErrorCode::io, "dumpable", errno);
  return {};
}

Result<void> forbid_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(ErrorCode::io, "no_new_privs", errno);
  return {};
}

}  // namespace cape::child
