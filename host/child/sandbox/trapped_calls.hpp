// System calls that no plugin has a reason to make: each ends the child with VIOLATION and its name. Shared
// by the host, which compiles the filters, and the runner, which writes the last words. Every other call that
// is not on the allow-lists fails with ENOSYS, as on a kernel without it.
#pragma once

#include <seccomp.h>  // numbers alone: the runner does not link the library

namespace cape::child {

// Why a plugin would make such a call: by it the host says what the author can do instead.
enum class Trap { network, process, other_process, mount, code, memory_file, io_uring, kernel };

struct TrappedCall {
  int number;
  const char* name;
  Trap trap;
};

#define CAPE_TRAPPED(name, trap)      \
  TrappedCall {                       \
    SCMP_SYS(name), #name, Trap::trap \
  }
inline constexpr TrappedCall trapped_calls[] = {
    // network
    CAPE_TRAPPED(socket, network),
    CAPE_TRAPPED(socketpair, network),
    CAPE_TRAPPED(connect, network),
    CAPE_TRAPPED(bind, network),
    CAPE_TRAPPED(listen, network),
    CAPE_TRAPPED(accept, network),
    CAPE_TRAPPED(accept4, network),
    // processes
    CAPE_TRAPPED(fork, process),
    CAPE_TRAPPED(vfork, process),
    CAPE_TRAPPED(execve, process),
    CAPE_TRAPPED(execveat, process),
    CAPE_TRAPPED(ptrace, other_process),
    CAPE_TRAPPED(process_vm_readv, other_process),
    CAPE_TRAPPED(process_vm_writev, other_process),
    CAPE_TRAPPED(process_madvise, other_process),
    CAPE_TRAPPED(pidfd_open, other_process),
    CAPE_TRAPPED(pidfd_getfd, other_process),
    CAPE_TRAPPED(pidfd_send_signal, other_process),
    CAPE_TRAPPED(kcmp, other_process),
    // namespaces and mounts
    CAPE_TRAPPED(unshare, mount),
    CAPE_TRAPPED(setns, mount),
    CAPE_TRAPPED(mount, mount),
    CAPE_TRAPPED(umount2, mount),
    CAPE_TRAPPED(pivot_root, mount),
    CAPE_TRAPPED(chroot, mount),
    CAPE_TRAPPED(fsopen, mount),
    CAPE_TRAPPED(fsconfig, mount),
    CAPE_TRAPPED(fsmount, mount),
    CAPE_TRAPPED(fspick, mount),
    CAPE_TRAPPED(open_tree, mount),
    CAPE_TRAPPED(move_mount, mount),
    CAPE_TRAPPED(mount_setattr, mount),
    CAPE_TRAPPED(open_by_handle_at, mount),
    // kernel surface
    CAPE_TRAPPED(bpf, kernel),
    CAPE_TRAPPED(io_uring_setup, io_uring),
    CAPE_TRAPPED(io_uring_enter, io_uring),
    CAPE_TRAPPED(io_uring_register, io_uring),
    CAPE_TRAPPED(userfaultfd, kernel),
    CAPE_TRAPPED(perf_event_open, kernel),
    CAPE_TRAPPED(keyctl, kernel),
    CAPE_TRAPPED(add_key, kernel),
    CAPE_TRAPPED(request_key, kernel),
    CAPE_TRAPPED(memfd_create, memory_file),
    CAPE_TRAPPED(init_module, kernel),
    CAPE_TRAPPED(finit_module, kernel),
    CAPE_TRAPPED(delete_module, kernel),
    CAPE_TRAPPED(kexec_load, kernel),
    CAPE_TRAPPED(reboot, kernel),
    CAPE_TRAPPED(swapon, kernel),
};
#undef CAPE_TRAPPED

// Trapped for some arguments only: clone without threads' flags, a kill of others, memory that can be
// executed.
inline constexpr TrappedCall trapped_in_part[] = {
    {SCMP_SYS(clone), "clone", Trap::process},
    {SCMP_SYS(kill), "kill", Trap::other_process},
    {SCMP_SYS(mmap), "mmap", Trap::code},
    {SCMP_SYS(mprotect), "mprotect", Trap::code},
};

// The runner puts its process id where a program compares with this; no process id reaches it.
inline constexpr unsigned own_pid_mark = 0x7EAF00D5;

}  // namespace cape::child
