/* The probe of `cape doctor`: a lambda that tries what a sandbox has to stop. The payload names the attempt.
 * OK means that it succeeded; FAILED that it was refused, with the error's name as its reason. No attempt
 * changes anything of the machine if it succeeds. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cape/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Over the limits of a plugin that is given none: 64 threads, 64 files, 512 MiB beside its threads' stacks.
 */
#define THREADS 80
#define FILES 80
#define MEMORY (4L << 30)

static int opens(const char* path) {
  return open(path, O_RDONLY | O_CLOEXEC) >= 0;
}

static int host_file(void) {
  return opens("/etc/passwd");
}
static int host_processes(void) {
  return opens("/proc/1/status");
}
static int write_outside(void) {
  return open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) >= 0;
}

static int tcp(void) {
  return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static int udp(void) {
  return socket(AF_INET6, SOCK_DGRAM, 0) >= 0;
}
static int unix_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}
static int netlink(void) {
  return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static int fork_process(void) {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid > 0;
}
static int run_program(void) {
  char* const words[] = {"true", NULL};
  execve("/bin/true", words, words + 1);
  return 0;
}
static int signal_other(void) {
  return kill(getppid(), 0) == 0;
}
static int trace_other(void) {
  return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0;
}
static int read_other(void) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void*)&environ, 1};
  return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}
static int shared_memory(void) {
  const int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (id >= 0) shmctl(id, IPC_RMID, NULL);
  return id >= 0;
}

static int new_namespace(void) {
  return unshare(CLONE_NEWUSER) == 0;
}
static int capabilities(void) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capget, &head, data) != 0) return 0;
  errno = EPERM;
  return (data[0].effective | data[1].effective | data[0].permitted | data[1].permitted) != 0;
}
static int bpf_map(void) {
  union bpf_attr map;
  memset(&map, 0, sizeof map);
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = map.value_size = 4;
  map.max_entries = 1;
  return syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0;
}
static int ring(void) {
  struct io_uring_params parameters;
  memset(&parameters, 0, sizeof parameters);
  return syscall(SYS_io_uring_setup, 1, &parameters) >= 0;
}
static int perf_event(void) {
  struct perf_event_attr event;
  memset(&event, 0, sizeof event);
  event.type = PERF_TYPE_SOFTWARE;
  event.size = sizeof event;
  event.config = PERF_COUNT_SW_TASK_CLOCK;
  event.exclude_kernel = 1;
  return syscall(SYS_perf_event_open, &event, 0, -1, -1, 0) >= 0;
}
static int keyring(void) {
  return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1) >= 0;
}
static int new_code(void) {
  return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
         MAP_FAILED;
}

static int memory(void) {
  return mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}
static int threads(void) {
  for (int i = 0; i < THREADS; ++i) {
    pthread_t thread;
    const int error = pthread_create(&thread, NULL, wait_for_ever, NULL);
    if (error != 0) return errno = error, 0;
  }
  return 1;
}
static int files(void) {
  for (int i = 0; i < FILES; ++i)
    if (dup(STDERR_FILENO) < 0) return 0;
  return 1;
}

static const struct {
  const char* name;
  int (*succeeds)(void);
} attempts[] = {
    {"host_file", host_file},
    {"host_processes", host_processes},
    {"write_outside", write_outside},
    {"tcp", tcp},
    {"udp", udp},
    {"unix_socket", unix_socket},
    {"netlink", netlink},
    {"fork", fork_process},
    {"run_program", run_program},
    {"signal_other", signal_other},
    {"trace_other", trace_other},
    {"read_other", read_other},
    {"shared_memory", shared_memory},
    {"new_namespace", new_namespace},
    {"capabilities", capabilities},
    {"bpf", bpf_map},
    {"io_uring", ring},
    {"perf_event", perf_event},
    {"keyring", keyring},
    {"new_code", new_code},
    {"memory", memory},
    {"threads", threads},
    {"files", files},
};

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self;
  for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; ++i) {
    if (event->payload.len != strlen(attempts[i].name)) continue;
    if (memcmp(event->payload.ptr, attempts[i].name, event->payload.len) != 0) continue;
    errno = 0;
    if (attempts[i].succeeds()) return CAPE_OK;
    const char* error = strerrorname_np(errno);
    cape_bytes reason = {(const uint8_t*)error, error ? strlen(error) : 0};
    call->set_error(call, 0, errno, reason);
    return CAPE_FAILED;
  }
  return CAPE_BAD_INPUT;
}

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)config;
  *self = (void*)host;
  return CAPE_OK;
}
static void destroy(void* self) {
  (void)self;
}

CAPE_MANIFEST("cape_probe", "1.0.0", CAPE_KIND_LAMBDA, 0);
static const cape_lambda lambda = {sizeof(cape_lambda), 0, create, process, NULL, NULL, destroy, NULL};
static const void* factory(const char* wanted) {
  return strcmp(wanted, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
}
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL, factory};
