#include "host/child/sandbox/filters.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "host/child/layout.hpp"
#include "host/child/sandbox/filter_builder.hpp"
#include "host/child/sandbox/trapped_calls.hpp"

namespace cape::child {
namespace {

constexpr std::uint32_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
                                       CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                       CLONE_CHILD_CLEARTID;
constexpr std::uint32_t prot_known = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr std::uint32_t map_kind = 0x0F;  // MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE
constexpr std::uint32_t set_id_bits = 06000;
constexpr std::uint32_t seccomp_set_filter = 1, seccomp_tsync = 1;  // linux/seccomp.h clashes with seccomp.h
constexpr int advice_remove = 9;  // MADV_REMOVE: punches holes into shared files

// Lists, a theme a line.
// clang-format off
// Memory, threads, clocks, waiting, and talking over descriptors that are already open.
constexpr int basic_calls[] = {
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fstat),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    SCMP_SYS(munmap), SCMP_SYS(brk), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(membarrier),
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrusage), SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(getrlimit), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min),
    SCMP_SYS(getcpu), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getpgrp), SCMP_SYS(getpgid),
    SCMP_SYS(getsid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups),
};

// Looking at paths. In profile pure there is nothing to see: allowed while loading, an error afterwards.
constexpr int looking_calls[] = {
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs),
};

// Changing files. Whether a directory may be written is for its mount and landlock to say, with an error.
constexpr int changing_calls[] = {
    SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(msync),
    SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(utimensat),
    SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch), SCMP_SYS(chdir), SCMP_SYS(fchdir), SCMP_SYS(umask),
};
// clang-format on

constexpr int locking_commands[] = {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
constexpr int plain_commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};

bool is_part_of_tcp(int call) {
  return call == SCMP_SYS(socket) || call == SCMP_SYS(connect);
}

void trap_the_illegitimate(FilterBuilder& filter, Network network) {
  for (const TrappedCall& call : trapped_calls)
    if (network == Network::none || !is_part_of_tcp(call.number)) filter.trap(call.number);
  filter.trap(SCMP_SYS(clone), {lacks_bits(0, CLONE_THREAD)});
}

// TCP over IPv4 and IPv6, and nothing that gets round the check of connect(): landlock knows no other
// protocol (not multipath TCP either), and a connection that is made by sending is not looked at.
void allow_tcp(FilterBuilder& filter) {
  constexpr std::uint32_t kind_of_socket = 0x0F;  // the rest is SOCK_CLOEXEC, SOCK_NONBLOCK
  for (const std::uint32_t family : {AF_INET, AF_INET6}) {
    for (const std::uint32_t protocol : {std::uint32_t{0}, std::uint32_t{IPPROTO_TCP}})
      filter.allow(SCMP_SYS(socket),
                   {is_int(0, family), bits_are(1, kind_of_socket, SOCK_STREAM), is_int(2, protocol)});
    // An error that name lookups handle.
    filter.refuse(EPROTONOSUPPORT, SCMP_SYS(socket),
                  {is_int(0, family), bits_are(1, kind_of_socket, SOCK_DGRAM)});
  }
  for (std::uint32_t family = 0; family < AF_MAX; ++family)
    if (family != AF_INET && family != AF_INET6) filter.trap(SCMP_SYS(socket), {is_int(0, family)});
  filter.allow(SCMP_SYS(connect));
  filter.allow(SCMP_SYS(sendto), {lacks_bits(3, MSG_FASTOPEN)});
  filter.allow(SCMP_SYS(sendmsg), {lacks_bits(2, MSG_FASTOPEN)});
  for (const int call : {SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
                         SCMP_SYS(getsockname), SCMP_SYS(getpeername)})
    filter.allow(call);
  for (const std::uint32_t option : {SO_KEEPALIVE, SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVBUF, SO_SNDBUF, SO_LINGER})
    filter.allow(SCMP_SYS(setsockopt), {is_int(1, SOL_SOCKET), is_int(2, option)});
  for (const std::uint32_t option : {TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT})
    filter.allow(SCMP_SYS(setsockopt), {is_int(1, IPPROTO_TCP), is_int(2, option)});
}

void allow_basics(FilterBuilder& filter, Network network) {
  if (network == Network::tcp) allow_tcp(filter);
  filter.allow(basic_calls);
  filter.allow(SCMP_SYS(clone), {is_int(0, thread_flags)});
  filter.allow(SCMP_SYS(tgkill), {is_int(0, own_pid_mark)});
  filter.allow(SCMP_SYS(kill), {is_int(0, own_pid_mark)});
  if (network == Network::none) {
    filter.allow(SCMP_SYS(sendto), {is_int(0, fd_control)});
    filter.allow(SCMP_SYS(recvfrom), {is_int(0, fd_control)});
  }
  filter.allow(SCMP_SYS(prlimit64), {is_int(0, 0), {2, SCMP_CMP_EQ, 0, 0}});  // asking, of itself
  for (const int command : plain_commands)
    filter.allow(SCMP_SYS(fcntl), {is_int(1, static_cast<std::uint32_t>(command))});
  for (const int command : {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA})
    filter.allow(SCMP_SYS(prctl), {is_int(0, static_cast<std::uint32_t>(command))});
  filter.refuse(ENOTTY, SCMP_SYS(ioctl));  // isatty() of stdio
}

// Private memory that is not executable. Shared anonymous memory would escape RLIMIT_DATA.
void allow_plain_memory(FilterBuilder& filter) {
  constexpr std::uint32_t not_plain = ~std::uint32_t{PROT_READ | PROT_WRITE};
  filter.allow(SCMP_SYS(mmap), {lacks_bits(2, not_plain), bits_are(3, map_kind, MAP_PRIVATE)});
  filter.allow(SCMP_SYS(mprotect), {lacks_bits(2, not_plain)});
}

void allow_files(FilterBuilder& filter) {
  constexpr std::uint32_t not_plain = ~std::uint32_t{PROT_READ | PROT_WRITE};
  filter.allow(looking_calls);
  filter.allow(changing_calls);
  for (const int command : locking_commands)
    filter.allow(SCMP_SYS(fcntl), {is_int(1, static_cast<std::uint32_t>(command))});
  // Nobody leaves a set-user-id file behind.
  filter.allow(SCMP_SYS(open), {lacks_bits(2, set_id_bits)});
  filter.allow(SCMP_SYS(openat), {lacks_bits(3, set_id_bits)});
  filter.allow(SCMP_SYS(mkdir), {lacks_bits(1, set_id_bits)});
  filter.allow(SCMP_SYS(mkdirat), {lacks_bits(2, set_id_bits)});
  filter.allow(SCMP_SYS(chmod), {lacks_bits(1, set_id_bits)});
  filter.allow(SCMP_SYS(fchmod), {lacks_bits(1, set_id_bits)});
  filter.allow(SCMP_SYS(fchmodat), {lacks_bits(2, set_id_bits)});
  filter.allow(SCMP_SYS(fallocate), {is_int(1, 0)});
  filter.allow(SCMP_SYS(mmap), {lacks_bits(2, not_plain), bits_are(3, map_kind | MAP_ANONYMOUS, MAP_SHARED)});
}

void allow_loading(FilterBuilder& filter) {
  filter.allow(SCMP_SYS(mmap),
               {bits_are(2, prot_known, PROT_READ | PROT_EXEC), bits_are(3, map_kind, MAP_PRIVATE)});
  filter.allow(SCMP_SYS(mprotect), {bits_are(2, prot_known, PROT_READ | PROT_EXEC)});
  // For stage two. A plugin may only make its own life harder with it.
  filter.allow(SCMP_SYS(seccomp), {is_int(0, seccomp_set_filter), is_int(1, seccomp_tsync)});
}

void trap_new_code(FilterBuilder& filter) {
  filter.trap(SCMP_SYS(mmap), {has_bits(2, PROT_EXEC)});
  filter.trap(SCMP_SYS(mprotect), {has_bits(2, PROT_EXEC)});
}

// Files of the machine that the child has by its descriptors alone: /dev/null, which a child that has root's id
// for its grants owns, and the lock, which all children share.
void keep_as_they_are(FilterBuilder& filter) {
  for (const std::uint32_t kept : {0u, 1u, std::uint32_t{fd_life}})
    for (const int call : {SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(utimensat), SCMP_SYS(ftruncate),
                           SCMP_SYS(fallocate)})
      filter.refuse(EPERM, call, {is_int(0, kept)});
  for (const std::uint32_t kept : {0u, 1u}) {  // no copies, either; the lock has none anyway
    for (const int call : {SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3)})
      filter.refuse(EPERM, call, {is_int(0, kept)});
    for (const int copies : {F_DUPFD, F_DUPFD_CLOEXEC})
      filter.refuse(EPERM, SCMP_SYS(fcntl), {is_int(0, kept), is_int(1, static_cast<std::uint32_t>(copies))});
  }
  for (const int call : {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(lseek),
                         SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev)})
    filter.refuse(EPERM, call, {is_int(0, fd_life)});
}

Result<std::string> compile_guard() {
  FilterBuilder filter(SCMP_ACT_ALLOW);
  // The lock of the process before us is free when nobody holds fd_life any more; end of file on fd_control
  // says that the plugin's process is gone. Neither may come from anything else.
  for (const std::uint32_t kept : {std::uint32_t{fd_life}, std::uint32_t{fd_control}}) {
    filter.refuse(EPERM, SCMP_SYS(close), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(dup), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(dup2), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(dup2), {is_int(1, kept)});
    filter.refuse(EPERM, SCMP_SYS(dup3), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(dup3), {is_int(1, kept)});
    filter.refuse(EPERM, SCMP_SYS(fcntl), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(flock), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(shutdown), {is_int(0, kept)});
    filter.refuse(EPERM, SCMP_SYS(getsockopt), {is_int(0, kept)});  // tells of who is at its other end
  }
  keep_as_they_are(filter);
  // To be set; a runtime that asks for the handlers it finds may have this one, too.
  filter.refuse(EPERM, SCMP_SYS(rt_sigaction), {is_int(0, SIGSYS), {1, SCMP_CMP_NE, 0, 0}});
  filter.refuse(EPERM, SCMP_SYS(madvise), {is_int(2, advice_remove)});
  filter.trap(SCMP_SYS(kill), {{0, SCMP_CMP_NE, own_pid_mark, 0}});
  filter.refuse(EPERM, SCMP_SYS(mmap), {has_bits(3, MAP_GROWSDOWN)});  // a stack, which RLIMIT_DATA does not count
  filter.trap(SCMP_SYS(mmap), {has_bits(2, PROT_WRITE | PROT_EXEC)});
  filter.trap(SCMP_SYS(mprotect), {has_bits(2, PROT_WRITE | PROT_EXEC)});
  return filter.program();
}

Result<std::string> compile_load(Profile profile, Network network) {
  FilterBuilder filter(SCMP_ACT_ERRNO(ENOSYS));
  trap_the_illegitimate(filter, network);
  allow_basics(filter, network);
  allow_plain_memory(filter);
  allow_loading(filter);
  if (profile == Profile::files) {
    allow_files(filter);
  } else {
    filter.allow(looking_calls);
    filter.allow(SCMP_SYS(open), {lacks_bits(1, O_ACCMODE)});
    filter.allow(SCMP_SYS(openat), {lacks_bits(2, O_ACCMODE)});
    filter.refuse(EACCES, SCMP_SYS(openat), {has_bits(2, O_WRONLY)});
    filter.refuse(EACCES, SCMP_SYS(openat), {has_bits(2, O_RDWR)});
  }
  return filter.program();
}

Result<std::string> compile_run(Profile profile, Network network) {
  FilterBuilder filter(SCMP_ACT_ERRNO(ENOSYS));
  trap_the_illegitimate(filter, network);
  trap_new_code(filter);
  allow_basics(filter, network);
  allow_plain_memory(filter);
  if (profile == Profile::files) {
    allow_files(filter);
    return filter.program();
  }
  // An error that every program handles, rather than ENOSYS, which few expect of open().
  for (const int call : looking_calls)
    if (call != SCMP_SYS(newfstatat)) filter.refuse(EACCES, call);
  filter.refuse(EACCES, SCMP_SYS(open));
  filter.refuse(EACCES, SCMP_SYS(openat));
  filter.allow(SCMP_SYS(newfstatat), {has_bits(3, AT_EMPTY_PATH)});  // fstat() of stdio
  filter.refuse(EACCES, SCMP_SYS(newfstatat), {lacks_bits(3, AT_EMPTY_PATH)});
  return filter.program();
}

}  // namespace

Result<FilterSet> compile_filters(Profile profile, Network network) {
  Result<std::string> guard = compile_guard();
  if (!guard) return std::unexpected(guard.error());
  Result<std::string> load = compile_load(profile, network);
  if (!load) return std::unexpected(load.error());
  Result<std::string> run = compile_run(profile, network);
  if (!run) return std::unexpected(run.error());
  return FilterSet{std::move(*guard), std::move(*load), std::move(*run)};
}

}  // namespace cape::child
