/* Calls the kernel: "NUMBER ARGUMENT..." makes that system call. What it must not do by a library's name
 * stands below it. */
#include "guest.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static cape_status call_kernel(struct cape_call* call, char* words) {
  long argument[7] = {0};
  char* rest = words;
  for (int i = 0; i < 7; ++i) argument[i] = strtol(rest, &rest, 0);
  const long done =
      syscall(argument[0], argument[1], argument[2], argument[3], argument[4], argument[5], argument[6]);
  return done < 0 ? refused(call) : CAPE_OK;
}

static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

/* FAILED with the number of threads it got. */
static cape_status start_threads(struct cape_call* call) {
  int threads = 0;
  pthread_t thread;
  while (threads < 10000 && pthread_create(&thread, NULL, wait_for_ever, NULL) == 0) ++threads;
  call->set_error(call, 0, threads, text("threads"));
  return threads == 10000 ? CAPE_OK : CAPE_FAILED;
}

static cape_status act(struct cape_call* call, const cape_event* event) {
  char words[128] = "";
  if (is(event, "blocked")) {
    sigset_t all;
    memset(&all, 0xFF, sizeof all);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8); /* by the raw call: all, those of the library too */
    return syscall(SYS_unshare, 0) != 0 ? refused(call) : CAPE_OK;
  }
#if defined(__x86_64__)
  if (is(event, "call_of_32_bit")) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result < 0 ? refused(call) : CAPE_OK;
  }
  if (is(event, "call_of_x32")) return syscall(0x40000000 | SYS_getpid) < 0 ? refused(call) : CAPE_OK;
#endif
  if (is(event, "fork")) return fork() < 0 ? refused(call) : CAPE_OK;
  if (is(event, "shell")) return system("true") < 0 ? refused(call) : CAPE_OK;
  if (is(event, "lookup")) {
    struct addrinfo* found = NULL;
    return getaddrinfo("example.org", "80", NULL, &found) == 0 ? CAPE_OK : refused(call);
  }
  if (is(event, "dlopen")) {
    if (dlopen("/lib/x86_64-linux-gnu/libz.so.1", RTLD_NOW) || dlopen("libz.so.1", RTLD_NOW)) return CAPE_OK;
    errno = EACCES;
    return refused(call);
  }
  if (is(event, "write_execute"))
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? refused(call)
               : CAPE_OK;
  if (is(event, "add_execute")) {
    void* at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(at, 4096, PROT_READ | PROT_EXEC) != 0 ? refused(call) : CAPE_OK;
  }
  if (is(event, "threads")) return start_threads(call);
  if (event->payload.len >= sizeof words) return CAPE_BAD_INPUT;
  memcpy(words, event->payload.ptr, event->payload.len);
  return call_kernel(call, words);
}

GUEST("escapes");
