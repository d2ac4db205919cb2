/* A lambda whose events say what it shall do: the payload is an act, or "act:argument". Built three times:
 * acts (process alone), acts_flush (FLUSH 1), acts_batch (BATCH 1). In C, against the ABI alone. */
#define _GNU_SOURCE
#include <cape/plugin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef ACTS_ID
#define ACTS_ID "acts"
#endif

CAPE_MANIFEST(ACTS_ID, "1.0.0", CAPE_KIND_LAMBDA, 0);

static const struct cape_host *the_host;
static volatile int flush_status;
static char last_argument[64];
static int *volatile nowhere = (int *)8;

static cape_bytes text(const char *s) {
  cape_bytes b = {(const uint8_t *)s, strlen(s)};
  return b;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int is(const cape_event *e, const char *act) {
  size_t n = strlen(act);
  if (e->payload.len < n || memcmp(e->payload.ptr, act, n) != 0) return 0;
  if (e->payload.len == n) return 1;
  return e->payload.ptr[n] == ':';
}

static const char *argument(const cape_event *e) {
  const uint8_t *colon = memchr(e->payload.ptr, ':', e->payload.len);
  size_t n = colon ? (size_t)(e->payload.ptr + e->payload.len - colon - 1) : 0;
  if (n >= sizeof last_argument) n = sizeof last_argument - 1;
  if (colon) memcpy(last_argument, colon + 1, n);
  last_argument[n] = 0;
  return last_argument;
}

static void config_text(const char *key, char *out, size_t size) {
  cape_bytes value;
  out[0] = 0;
  if (the_host->config_get(the_host, text(key), &value) != CAPE_OK || value.len >= size) return;
  memcpy(out, value.ptr, value.len);
  out[value.len] = 0;
}

static void die(const cape_event *e) {
  if (is(e, "segv")) *nowhere = 1;
  if (is(e, "abort")) abort();
  if (is(e, "exit")) exit(atoi(argument(e)));
  if (is(e, "pthread_exit")) pthread_exit(NULL);
  if (is(e, "socket")) socket(AF_INET, SOCK_STREAM, 0);
  if (is(e, "complain_and_abort")) fprintf(stderr, "acts: %s\n", argument(e)), abort();
  while (is(e, "hang")) {}
}

static cape_status one(struct cape_call *call, uint32_t index, const cape_event *e) {
  char line[256];
  uint8_t *place;
  die(e);
  if (is(e, "skip")) return CAPE_SKIPPED;
  if (is(e, "status")) return atoi(argument(e));
  if (is(e, "fail")) return call->set_error(call, index, 7, text(argument(e))), CAPE_FAILED;
  if (is(e, "wait"))
    while (!call->is_cancelled(call)) call->heartbeat(call);
  if (is(e, "wait")) return CAPE_CANCELLED;
  if (is(e, "emit")) return call->emit(call, index, text(argument(e)));
  if (is(e, "emit_twice")) return call->emit(call, index, text("a")), call->emit(call, index, text("b"));
  if (is(e, "careless")) { /* says OK whatever emit said of so many bytes */
    const uint64_t n = (uint64_t)atoi(argument(e));
    uint8_t *bytes = calloc(n, 1);
    const cape_bytes output = {bytes, n};
    call->emit(call, index, output);
    free(bytes);
    return CAPE_OK;
  }
  if (is(e, "careless_reserve")) return call->reserve(call, index, (uint64_t)atoi(argument(e)), &place), CAPE_OK;
  if (is(e, "careless_twice")) return call->emit(call, index, text("a")), call->emit(call, index, text("b")), CAPE_OK;
  if (is(e, "careless_index")) return call->emit(call, index + 1000, text("a")), CAPE_OK;
  if (is(e, "less")) { /* what is too large once is made to fit */
    if (call->reserve(call, index, (uint64_t)atoi(argument(e)), &place) == CAPE_OK) return CAPE_INTERNAL;
    return call->emit(call, index, text("less"));
  }
  if (is(e, "emit_large")) return call->reserve(call, index, (uint64_t)atoi(argument(e)), &place);
  if (is(e, "fill")) {
    uint64_t n = (uint64_t)atoi(argument(e));
    if (call->reserve(call, index, n, &place) != CAPE_OK) return CAPE_INTERNAL;
    memset(place, 'f', n);
    return call->commit(call, n);
  }
  if (is(e, "reserve")) {
    if (call->reserve(call, index, 16, &place) != CAPE_OK) return CAPE_INTERNAL;
    memcpy(place, "in place", 8);
    return call->commit(call, 17) == CAPE_BAD_INPUT ? call->commit(call, 8) : CAPE_INTERNAL;
  }
  if (is(e, "flush")) flush_status = atoi(argument(e));
  if (is(e, "log"))
    for (int i = atoi(argument(e)); i > 0; --i) the_host->log(the_host, CAPE_LOG_WARNING, text("a line\x1b[31m"));
  if (is(e, "tell")) { /* everything an event carries, as its output */
    snprintf(line, sizeof line, "%.*s/%.*s/%lld@%lld %.*s fence=%llu attempt=%u flags=%u size=%d", (int)e->domain.len,
             (const char *)e->domain.ptr, (int)e->subject.len, (const char *)e->subject.ptr, (long long)e->sequence,
             (long long)e->time_ns, (int)e->type.len, (const char *)e->type.ptr, (unsigned long long)e->fence,
             e->attempt, e->flags, e->struct_size == sizeof *e);
    return call->emit(call, index, text(line));
  }
  if (is(e, "deadline")) { /* nanoseconds from now to it, and how far a heartbeat 2 ms later moved it */
    const int64_t now = now_ns();
    const uint64_t at = call->deadline_ns(call);
    while (now_ns() < now + 2000000) {
    }
    call->heartbeat(call);
    const uint64_t later = call->deadline_ns(call);
    snprintf(line, sizeof line, "%lld %lld", at == 0 ? 0 : (long long)at - (long long)now,
             (long long)(later - at));
    return call->emit(call, index, text(line));
  }
  if (is(e, "inputs")) { /* name=output of each, as its output */
    int n = 0;
    for (uint32_t i = 0; i < e->input_count && n < (int)sizeof line; ++i)
      n += snprintf(line + n, sizeof line - (size_t)n, "%.*s=%.*s;", (int)e->inputs[i]->lambda.len,
                    (const char *)e->inputs[i]->lambda.ptr, (int)e->inputs[i]->output.len,
                    (const char *)e->inputs[i]->output.ptr);
    return call->emit(call, index, text(n == 0 ? "none" : line));
  }
  if (is(e, "size")) {
    snprintf(line, sizeof line, "%llu", (unsigned long long)e->payload.len);
    return call->emit(call, index, text(line));
  }
  return CAPE_OK;
}

static cape_status process(void *self, struct cape_call *call, const cape_event *e) {
  (void)self;
  return one(call, 0, e);
}

#ifdef ACTS_BATCH
static cape_status process_batch(void *self, struct cape_call *call, const cape_event *const *events, uint32_t n,
                                 cape_status *out) {
  (void)self;
  char line[32];
  for (uint32_t i = 0; i < n; ++i) {
    out[i] = one(call, i, events[i]);
    if (is(events[i], "calls")) { /* how many events this call has */
      snprintf(line, sizeof line, "%u", n);
      out[i] = call->emit(call, i, text(line));
    }
    if (out[i] != CAPE_OK && out[i] != CAPE_SKIPPED) break;
  }
  return CAPE_OK;
}
#endif

#ifdef ACTS_FLUSH
static cape_status flush(void *self, struct cape_call *call) {
  (void)self;
  if (flush_status == 99) abort();
  if (flush_status != 0) call->set_error(call, 0, 0, text("the disk is full"));
  cape_status status = flush_status;
  flush_status = 0;
  return status;
}
#endif

static cape_status create(const struct cape_host *host, cape_bytes config, void **self) {
  char mode[32];
  (void)config;
  the_host = host;
  config_text("create.mode", mode, sizeof mode);
  if (strcmp(mode, "refuse") == 0) {
    host->log(host, CAPE_LOG_ERROR, text("`root` is missing"));
    return CAPE_BAD_CONFIG;
  }
  if (strcmp(mode, "segv") == 0) *nowhere = 1;
  while (strcmp(mode, "hang") == 0) {}
  *self = &the_host;
  return CAPE_OK;
}

static void destroy(void *self) {
  char mode[32];
  (void)self;
  config_text("destroy.mode", mode, sizeof mode);
  while (strcmp(mode, "hang") == 0) {}
}

static const cape_lambda lambda = {
    sizeof(cape_lambda),
#if defined(ACTS_BATCH) && !defined(ACTS_UNORDERED)
    CAPE_LAMBDA_ORDERED_BATCH,
#else
    0,
#endif
    create, process,
#ifdef ACTS_BATCH
    process_batch,
#else
    NULL,
#endif
#ifdef ACTS_FLUSH
    flush,
#else
    NULL,
#endif
    destroy, NULL};

static const void *get_factory(const char *id) { return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL; }
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL, get_factory};
