/* poorer-kernel WHAT COMMAND [ARGS...]: runs COMMAND as on a kernel that refuses WHAT:
 *   userns    no further user namespace can be made (we sit in one that allows none)
 *   seccomp   seccomp filters cannot be installed
 *   landlock  there is no landlock
 *   mounts    nothing can be mounted
 *   nnp       no process can give up gaining privileges: nothing that wants to be confined starts there
 *   unshare   no process can leave its namespaces for new ones, only be made in new ones
 *   groups    there are no control groups (of root alone)
 * Ends with 125 and says why if it cannot be arranged. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void stop(const char* step) {
  fprintf(stderr, "poorer-kernel: %s: %s\n", step, strerror(errno));
  exit(125);
}

static void write_file(const char* path, const char* text) {
  const int file = open(path, O_WRONLY);
  if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) stop(path);
  close(file);
}

static void allow_no_user_namespaces(void) {
  char map[32];
  const unsigned uid = geteuid(), gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) stop("unshare");
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", map);
  write_file("/proc/sys/user/max_user_namespaces", "0");
}

static void install(struct sock_filter* filter, unsigned short length) {
  const struct sock_fprog program = {length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) stop("no_new_privs");
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) stop("seccomp");
}

/* Fails seccomp(2) if `whole`, and prctl(2) with `option`. */
static void refuse_to_confine(int whole, unsigned option) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, whole ? 3 : 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install(filter, sizeof filter / sizeof filter[0]);
}

static void allow_no_seccomp(void) { refuse_to_confine(1, PR_SET_SECCOMP); }

static void allow_no_new_privileges_bit(void) { refuse_to_confine(0, PR_SET_NO_NEW_PRIVS); }

/* Fails `count` calls with `error`. */
static void refuse(const int* calls, int count, int error) {
  struct sock_filter filter[2 * 8 + 2] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  unsigned short length = 1;
  for (int i = 0; i < count; ++i) {
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  install(filter, length);
}

static void allow_no_landlock(void) {
  const int calls[] = {SYS_landlock_create_ruleset};
  refuse(calls, 1, ENOSYS);
}

static void allow_no_mounts(void) {
  const int calls[] = {SYS_mount, SYS_fsopen, SYS_open_tree, SYS_move_mount};
  refuse(calls, 4, EPERM);
}

static void allow_no_unshare(void) {
  const int calls[] = {SYS_unshare};
  refuse(calls, 1, EPERM);
}

/* Ours are out of sight below an empty file system, which no one else sees. */
static void show_no_groups(void) {
  if (unshare(CLONE_NEWNS) != 0) stop("unshare");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) stop("private mounts");
  while (umount2("/sys/fs/cgroup", MNT_DETACH) == 0) {
  }
}

int main(int count, char** words) {
  if (count < 3) {
    fprintf(stderr, "usage: poorer-kernel userns|seccomp|nnp|landlock|mounts|unshare|groups COMMAND [ARGS...]\n");
    return 125;
  }
  if (strcmp(words[1], "userns") == 0)
    allow_no_user_namespaces();
  else if (strcmp(words[1], "seccomp") == 0)
    allow_no_seccomp();
  else if (strcmp(words[1], "nnp") == 0)
    allow_no_new_privileges_bit();
  else if (strcmp(words[1], "landlock") == 0)
    allow_no_landlock();
  else if (strcmp(words[1], "mounts") == 0)
    allow_no_mounts();
  else if (strcmp(words[1], "unshare") == 0)
    allow_no_unshare();
  else if (strcmp(words[1], "groups") == 0)
    show_no_groups();
  else
    stop("first argument");
  execv(words[2], words + 2);
  stop(words[2]);
}
