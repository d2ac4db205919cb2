// System calls that no plugin has a reason to make: each ends the child with VIOLATION and its name. Shared by
// the host, which compiles the filters, and the runner, which writes the last words. Every other call that is
// not on the allow-lists fails with ENOSYS, as on a kernel without it.
#pragma once

#include <seccomp.h>  // numbers alone: the runner does not link the library

namespace cape::child {

struct TrappedCall {
  int number;
  const char* name;
};

#define CAPE_TRAPPED(name) TrappedCall{SCMP_SYS(name), #name}
inline constexpr TrappedCall trapped_calls[] = {
    // network
    CAPE_TRAPPED(socket), CAPE_TRAPPED(socketpair), CAPE_TRAPPED(connect), CAPE_TRAPPED(bind), CAPE_TRAPPED(listen),
    CAPE_TRAPPED(accept), CAPE_TRAPPED(accept4),
    // processes
    CAPE_TRAPPED(fork), CAPE_TRAPPED(vfork), CAPE_TRAPPED(execve), CAPE_TRAPPED(execveat), CAPE_TRAPPED(ptrace),
    CAPE_TRAPPED(process_vm_readv), CAPE_TRAPPED(process_vm_writev), CAPE_TRAPPED(process_madvise),
    CAPE_TRAPPED(pidfd_open), CAPE_TRAPPED(pidfd_getfd), CAPE_TRAPPED(pidfd_send_signal), CAPE_TRAPPED(kcmp),
    // namespaces and mounts
    CAPE_TRAPPED(unshare), CAPE_TRAPPED(setns), CAPE_TRAPPED(mount), CAPE_TRAPPED(umount2), CAPE_TRAPPED(pivot_root),
    CAPE_TRAPPED(chroot), CAPE_TRAPPED(fsopen), CAPE_TRAPPED(fsconfig), CAPE_TRAPPED(fsmount), CAPE_TRAPPED(fspick),
    CAPE_TRAPPED(open_tree), CAPE_TRAPPED(move_mount), CAPE_TRAPPED(mount_setattr), CAPE_TRAPPED(open_by_handle_at),
    // kernel surface
    CAPE_TRAPPED(bpf), CAPE_TRAPPED(io_uring_setup), CAPE_TRAPPED(io_uring_enter), CAPE_TRAPPED(io_uring_register),
    CAPE_TRAPPED(userfaultfd), CAPE_TRAPPED(perf_event_open), CAPE_TRAPPED(keyctl), CAPE_TRAPPED(add_key),
    CAPE_TRAPPED(request_key), CAPE_TRAPPED(memfd_create), CAPE_TRAPPED(init_module), CAPE_TRAPPED(finit_module),
    CAPE_TRAPPED(delete_module), CAPE_TRAPPED(kexec_load), CAPE_TRAPPED(reboot), CAPE_TRAPPED(swapon),
};
#undef CAPE_TRAPPED

// Trapped for some arguments only: clone without threads' flags, a kill of others, memory that can be executed.
inline constexpr TrappedCall trapped_in_part[] = {
    {SCMP_SYS(clone), "clone"}, {SCMP_SYS(kill), "kill"}, {SCMP_SYS(mmap), "mmap"}, {SCMP_SYS(mprotect), "mprotect"},
};

// The runner puts its process id where a program compares with this; no process id reaches it.
inline constexpr unsigned own_pid_mark = 0x7EAF00D5;

}  // namespace cape::child
