/* A lambda and a source that keep every promise but the one that a definition names: BREAK_S4, BREAK_C5, ...
 */
#define _GNU_SOURCE
#ifdef BREAK_S3
#define CAPE_ABI_MIN_MINOR 9
#endif
#include <cape/plugin.h>
#ifdef BREAK_S3
#undef CAPE_ABI_MINOR
#define CAPE_ABI_MINOR 9
#endif
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if defined(BREAK_S2)
CAPE_MANIFEST("Not A Name", "1.0.0", CAPE_KIND_LAMBDA, 0);
#elif defined(SOURCE)
CAPE_MANIFEST("check_guest", "1.0.0", CAPE_KIND_SOURCE, 0);
#else
CAPE_MANIFEST("check_guest", "1.0.0", CAPE_KIND_LAMBDA, 0);
#endif

#ifdef BREAK_S4
__attribute__((visibility("default"))) int helper_of_nobody(void);
int helper_of_nobody(void) {
  return 1;
}
#endif
#ifdef BREAK_S4_LIBC
__attribute__((visibility("default"))) int sigaction(int signal, const void* new_action, void* old) {
  return (void)signal, (void)new_action, (void)old, -1;
}
#endif
#ifdef BREAK_S7
static __thread char large[8192] __attribute__((tls_model("initial-exec")));
#endif

static volatile int* volatile nowhere = (int*)8;

static int on(const cape_event* event, const char* subject) {
  return event->subject.len == strlen(subject) &&
         memcmp(event->subject.ptr, subject, event->subject.len) == 0;
}
static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) != 0) {
  }
}

#if defined(BREAK_C2_THREADS) || defined(BREAK_L6_THREAD)
static void* stay(void* nobody) {
  for (;;) sleep_ms(1000);
  return nobody;
}
static void begin_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, stay, NULL);
}
#endif

#ifdef BREAK_L1_SYMBOLS
int nobody_has_this(void);
extern int nobody_has_that;
#endif

static cape_status init(const struct cape_host* host) {
  (void)host, (void)sleep_ms, (void)on;
#ifdef BREAK_L6_THREAD
  begin_thread();
#endif
#ifdef BREAK_L1_SYMBOLS
  if (nobody_has_this() == nobody_has_that) return CAPE_INTERNAL;
#endif
#ifdef BREAK_L1
  return CAPE_INTERNAL;
#endif
#ifdef BREAK_L2
  socket(AF_INET, SOCK_STREAM, 0);
#endif
#ifdef BREAK_L3
  sleep_ms(300);
#endif
#ifdef BREAK_S7
  memset(large, 1, sizeof large);
#endif
  return CAPE_OK;
}
static void deinit(void) {
#ifdef BREAK_L6
  _exit(3);
#endif
}

#ifndef SOURCE
static const struct cape_host* the_host;
static int calls, instances;
#ifdef BREAK_F3
/* As a later header may have it. */
struct newer_host {
  struct cape_host of_1_0;
  const void* newer;
};
#endif

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)config;
  the_host = host;
  *self = &calls;
  ++instances;
#ifdef BREAK_C2
  if (malloc(100) == NULL) return CAPE_NO_MEMORY;
#endif
#ifdef BREAK_C2_THREADS
  begin_thread();
#endif
#ifdef BREAK_C2_FDS
  if (dup(2) < 0) return CAPE_OK;
#endif
#ifdef BREAK_C1
  if (config.len > 100000) *nowhere = 1;
#endif
  return CAPE_OK;
}

#ifdef BREAK_C11
static void* beat(void* call) {
  struct cape_call* it = call;
  it->heartbeat(it);
  return NULL;
}
#endif
static cape_status one(struct cape_call* call, uint32_t index, const cape_event* event) {
  char line[64];
  cape_bytes output = {event->payload.ptr, event->payload.len < 16 ? event->payload.len : 16};
  (void)on, (void)line;
#ifdef BREAK_C3
  if (on(event, "edges") && event->payload.len > 1000) *nowhere = 1;
#endif
#ifdef BREAK_C4
  if (on(event, "statuses")) return 77;
#endif
#if defined(BREAK_C7) || defined(BREAK_C7_EVERYWHERE)
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  snprintf(line, sizeof line, "%ld", now.tv_nsec);
#ifdef BREAK_C7_EVERYWHERE
  const int varies = 1;
#else
  const int varies = on(event, "sameness");
#endif
  if (varies) output.ptr = (const uint8_t*)line, output.len = strlen(line);
#endif
#ifdef BREAK_C8
  if (on(event, "fences")) line[0] = (char)((const volatile uint8_t*)event->payload.ptr)[event->payload.len];
#endif
#ifdef BREAK_C11
  pthread_t thread;
  if (on(event, "beats") && pthread_create(&thread, NULL, beat, call) == 0) pthread_join(thread, NULL);
#endif
#ifdef BREAK_C12
  if (on(event, "instances")) output.len = (uint64_t)instances;
#endif
#ifdef QUIET
  return CAPE_OK;
#endif
#ifdef BREAK_C9
  if (on(event, "outputs")) return call->emit(call, index, output), CAPE_OK;
#endif
#ifdef BREAK_C9_LARGE
  static const uint8_t large_output[2 << 20];
  const cape_bytes too_much = {large_output, sizeof large_output};
  if (on(event, "outputs")) return call->emit(call, index, too_much), CAPE_OK;
#endif
#ifdef BREAK_C9_TWICE
  if (on(event, "outputs")) return call->emit(call, index, output), call->emit(call, index, output), CAPE_OK;
#endif
#ifdef BREAK_F1
  if (on(event, "random") && event->payload.len > 3000) *nowhere = 1;
#endif
#ifdef BREAK_F2
  if (on(event, "speed")) sleep_ms(20);
#endif
#ifdef BREAK_F3
  if (on(event, "older") && ((const struct newer_host*)the_host)->newer == (const void*)event) return CAPE_FAILED;
#endif
#ifdef BREAK_C10
  if (on(event, "cancel")) sleep_ms(4000);
#endif
#ifdef BREAK_C16
  const cape_bytes words = {(const uint8_t*)"a line", 6};
  if (on(event, "log"))
    for (int i = 0; i < 1000; ++i) the_host->log(the_host, CAPE_LOG_INFO, words);
#endif
  return call->emit(call, index, output);
}

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self;
  return one(call, 0, event);
}
static cape_status process_batch(void* self, struct cape_call* call, const cape_event* const* events,
                                 uint32_t n, cape_status* out) {
  (void)self;
  for (uint32_t i = 0; i < n; ++i) {
#ifdef BREAK_C6
    if (n == 63 && i == 5 && on(events[i], "sizes")) {
      out[i] = CAPE_SKIPPED;
      continue;
    }
#endif
#ifdef BREAK_C5
    if (events[i]->sequence == 6 && on(events[i], "batches")) {
      out[i] = CAPE_SKIPPED;
      continue;
    }
#endif
    if ((out[i] = one(call, i, events[i])) != CAPE_OK) break;
  }
  return CAPE_OK;
}
#ifdef BREAK_C14
static void* call_late(void* nobody) {
  const cape_bytes words = {(const uint8_t*)"late", 4};
  for (int i = 0; i < 20; ++i) {
    sleep_ms(5);
    the_host->log(the_host, CAPE_LOG_INFO, words);
  }
  return nobody;
}
#endif
static void destroy(void* self) {
  (void)self;
  --instances;
#ifdef BREAK_C14
  static int begun;
  pthread_t thread;
  if (++begun == 2) pthread_create(&thread, NULL, call_late, NULL);
#endif
}
#ifdef BREAK_C13
static const void* get_extension(void* self, const char* id) {
  (void)id;
  return self;
}
#else
#define get_extension NULL
#endif

#ifdef UNORDERED
#define FLAGS 0
#else
#define FLAGS CAPE_LAMBDA_ORDERED_BATCH
#endif
static const cape_lambda table = {
    sizeof(cape_lambda), FLAGS, create, process, process_batch, NULL, destroy,
    get_extension};
#define FACTORY CAPE_FACTORY_LAMBDA
#else
/* Subjects a, b, c, d with the events 1..9 each. */
static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)host, (void)config;
  *self = NULL;
  return CAPE_OK;
}
static void destroy(void* self) {
  (void)self;
}
static int known(cape_bytes subject) {
  return subject.len == 1 && subject.ptr[0] >= 'a' && subject.ptr[0] <= 'd';
}
static cape_status latest(void* self, struct cape_call* call, cape_bytes subject, int64_t* bound) {
  (void)self, (void)call;
  *bound = 9;
  return known(subject) ? CAPE_OK : CAPE_NOT_FOUND;
}
static cape_status query(void* self, struct cape_call* call, cape_bytes subject, int64_t start,
                         uint32_t max_events, uint64_t max_bytes, int64_t* next_start, int64_t* bound,
                         uint32_t* more) {
  static int asked;
  const uint32_t page = max_events;
  int64_t at = start;
  (void)self, (void)max_bytes, (void)asked, (void)subject, (void)page;
#ifndef BREAK_E1
  if (!known(subject)) return CAPE_NOT_FOUND;
#endif
  *bound = 9;
#ifdef BREAK_E6
  if (start == 9 && max_events == 1 && ++asked == 4) *bound = 8;
#endif
  for (; at <= *bound && max_events > 0; ++at, --max_events) {
    cape_event event = {0};
    event.struct_size = sizeof event;
    event.sequence = at;
    event.payload.ptr = (const uint8_t*)"payload";
    event.payload.len = 7;
#ifdef BREAK_E3
    if (max_events == 7) event.payload.len = 3;
#endif
#ifdef BREAK_E2
    if (page == 3 && at > start) event.sequence = 1;
#endif
    if (call->emit_event(call, &event) != CAPE_OK) break;
  }
  *next_start = at;
  *more = at <= *bound;
#ifdef BREAK_E4
  if (page == 5) *next_start = start, *more = 1;
#endif
#ifdef BREAK_E5
  if (start > *bound) *next_start = start, *more = 1;
#endif
  return CAPE_OK;
}
static cape_status scan(void* self, struct cape_call* call, cape_bytes token, uint32_t max_subjects,
                        uint32_t* more) {
  (void)self;
  const uint32_t page = max_subjects;
  char first = token.len > 0 ? (char)(token.ptr[0] + 1) : 'a';
  *more = 0;
  (void)page;
  for (char name = first; name <= 'd'; ++name) {
    const cape_bytes subject = {(const uint8_t*)&name, 1};
#ifdef BREAK_E7
    if (page == 3 && name == 'b') continue;
#endif
    if (max_subjects-- == 0) return *more = 1, CAPE_OK;
    if (call->emit_subject(call, subject, 9) != CAPE_OK) return *more = 1, CAPE_OK;
  }
  return CAPE_OK;
}
static const cape_source table = {sizeof(cape_source), 0, create, destroy, latest, query, scan, NULL};
#define FACTORY CAPE_FACTORY_SOURCE
#endif

static const void* get_factory(const char* id) {
  (void)nowhere;
#ifdef BREAK_L5
  return strncmp(id, FACTORY, strlen(FACTORY)) == 0 ? &table : NULL;
#endif
  return strcmp(id, FACTORY) == 0 ? &table : NULL;
}
#ifdef BREAK_L1_ENTRY
#define cape_entry_v1 cape_entry_v9
extern CAPE_EXPORT const cape_entry cape_entry_v9;
#endif
#ifdef BREAK_L4
#define ENTRY_BYTES 8
#else
#define ENTRY_BYTES sizeof(cape_entry)
#endif
const cape_entry cape_entry_v1 = {ENTRY_BYTES, CAPE_ABI_MAJOR, CAPE_ABI_MINOR, init, deinit,
                                  get_factory};
