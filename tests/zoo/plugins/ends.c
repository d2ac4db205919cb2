/* Ends, or never does: ways that the other guests have not. */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void* crash_beside(void* unused) {
  int* volatile nowhere = (int*)16;
  *nowhere = 1;
  return unused;
}

static cape_status act(struct cape_call* call, const cape_event* event) {
  if (is(event, "trap")) __builtin_trap();
  if (is(event, "quick_exit")) _exit(0);
  if (is(event, "exit_as_setup")) exit(111); /* the runner's own codes */
  if (is(event, "exit_as_violation")) exit(112);
  if (is(event, "thread")) {
    pthread_t thread;
    pthread_create(&thread, NULL, crash_beside, NULL);
    pthread_join(thread, NULL);
  }
  if (is(event, "yield"))
    for (;;) sched_yield();
  if (is(event, "deaf")) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;) pause();
  }
  if (is(event, "stop")) raise(SIGSTOP);
  if (is(event, "heartbeat"))
    for (;;) call->heartbeat(call);
  return CAPE_OK;
}

GUEST("ends");
