/* A source that is honest about "good" and lies about every other subject as its name says. Built twice:
 * answers, and answers_batch (BATCH 1) with cape.source.batch/1. In C, against the ABI alone. */
#define _GNU_SOURCE
#include <cape/plugin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef ANSWERS_ID
#define ANSWERS_ID "answers"
#endif

CAPE_MANIFEST(ANSWERS_ID, "1.0.0", CAPE_KIND_SOURCE, 0);

enum { good_latest = 10 };
static const struct cape_host *the_host;
static uint8_t *zeros;  /* 2 MiB */
static int64_t time_ns; /* of the events to emit; 0: by their sequence */

static int is(cape_bytes subject, const char *name) {
  return subject.len == strlen(name) && memcmp(subject.ptr, name, subject.len) == 0;
}
static cape_bytes text(const char *s) {
  cape_bytes b = {(const uint8_t *)s, strlen(s)};
  return b;
}

static cape_status emit(struct cape_call *call, int64_t sequence, uint64_t payload_bytes) {
  cape_event e;
  memset(&e, 0, sizeof e);
  e.struct_size = sizeof e;
  e.sequence = sequence;
  e.time_ns = time_ns != 0 ? time_ns : sequence * 1000;
  e.type = text("type");
  e.payload.ptr = zeros;
  e.payload.len = payload_bytes;
  return call->emit_event(call, &e);
}

/* Events start..good_latest of `bytes` each, as a careful source gives them. */
static cape_status honest(struct cape_call *call, int64_t start, uint32_t max_events, uint64_t bytes,
                          int64_t *next_start, int64_t *latest, uint32_t *more) {
  int64_t next = start;
  *latest = good_latest;
  for (uint32_t n = 0; next <= good_latest && n < max_events; ++n, ++next)
    if (emit(call, next, bytes) != CAPE_OK) break;
  *next_start = next;
  *more = next <= good_latest;
  return CAPE_OK;
}

static cape_status query(void *self, struct cape_call *call, cape_bytes subject, int64_t start, uint32_t max_events,
                         uint64_t max_bytes, int64_t *next_start, int64_t *latest, uint32_t *more) {
  (void)self, (void)max_bytes;
  *next_start = good_latest + 1;
  *latest = good_latest;
  *more = 0;
  if (is(subject, "good")) return honest(call, start, max_events, 8, next_start, latest, more);
  if (is(subject, "large")) return honest(call, start, max_events, 400000, next_start, latest, more);
  if (is(subject, "deadline")) { /* its one event tells the nanoseconds from now to it */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    time_ns = (int64_t)call->deadline_ns(call) - (t.tv_sec * 1000000000ll + t.tv_nsec);
    return emit(call, good_latest, 0), time_ns = 0, CAPE_OK;
  }
  if (is(subject, "empty")) return CAPE_OK;
  if (is(subject, "unknown")) return CAPE_NOT_FOUND;
  if (is(subject, "sick")) return call->set_error(call, 0, 0, text("the disk is gone")), CAPE_RETRY;
  if (is(subject, "number")) return 77;
  if (is(subject, "silent")) return *next_start = start, CAPE_OK;
  if (is(subject, "ahead")) return *next_start = good_latest + 2, CAPE_OK;
  if (is(subject, "behind")) return *next_start = start - 1, CAPE_OK;
  if (is(subject, "endless")) return *next_start = start, *more = 1, CAPE_OK;
  if (is(subject, "negative")) return *latest = -1, *next_start = start, CAPE_OK;
  if (is(subject, "falling")) return emit(call, 5, 8), emit(call, 4, 8);
  if (is(subject, "twice")) return emit(call, 5, 8), emit(call, 5, 8);
  if (is(subject, "below")) return emit(call, start - 1, 8);
  if (is(subject, "above")) return emit(call, good_latest + 1, 8);
  if (is(subject, "highest")) return *latest = *next_start = INT64_MAX, emit(call, INT64_MAX, 8);
  if (is(subject, "greedy")) { /* goes on after LIMIT, and claims to have given everything */
    for (int64_t i = start; i <= good_latest; ++i) emit(call, i, 8);
    return CAPE_OK;
  }
  if (is(subject, "huge")) { /* event 3 is over the limit */
    for (int64_t i = start; i <= good_latest; ++i)
      if (emit(call, i, i == 3 ? 2u << 20 : 8) != CAPE_OK) return *next_start = i, *more = 1, CAPE_OK;
    return CAPE_OK;
  }
  while (is(subject, "hang")) {}
  if (is(subject, "abort")) abort();
  return CAPE_INTERNAL;
}

static cape_status scan_lie(struct cape_call *call, cape_bytes token, uint32_t *more) {
  if (is(token, "lie:falling")) return call->emit_subject(call, text("n"), 1), call->emit_subject(call, text("m"), 1);
  if (is(token, "lie:below")) return call->emit_subject(call, text("a"), 1);
  if (is(token, "lie:negative")) return call->emit_subject(call, text("n"), -1);
  if (is(token, "lie:more")) return *more = 1, CAPE_OK;
  if (is(token, "lie:ill")) {
    call->emit_subject(call, text("m"), 1);
    call->emit_subject(call, text("n\xff"), 1);
    return call->emit_subject(call, text("o"), 1);
  }
  return CAPE_FAILED;
}

static cape_status scan(void *self, struct cape_call *call, cape_bytes token, uint32_t max_subjects, uint32_t *more) {
  (void)self, (void)max_subjects;
  char name[16];
  if (token.len >= 4 && memcmp(token.ptr, "lie:", 4) == 0) return scan_lie(call, token, more);
  for (int i = 0; i < 10; ++i) {
    snprintf(name, sizeof name, "subject-%d", i);
    if (strlen(name) == token.len && memcmp(name, token.ptr, token.len) <= 0) continue;
    if (call->emit_subject(call, text(name), i) == CAPE_LIMIT) return *more = 1, CAPE_OK;
  }
  return CAPE_OK;
}

static cape_status latest(void *self, struct cape_call *call, cape_bytes subject, int64_t *bound) {
  (void)self, (void)call, (void)subject;
  return *bound = good_latest, CAPE_OK;
}

#ifdef ANSWERS_BATCH
static cape_status query_batch(void *self, struct cape_call *call, cape_source_query *queries, uint32_t n,
                               uint32_t max_events, uint64_t max_bytes) {
  for (uint32_t i = 0; i < n; ++i) {
    cape_source_query *q = &queries[i];
    if (is(q->subject, "forgotten")) continue;
    call->begin_query(call, i);
    q->status =
        query(self, call, q->subject, q->start, max_events, max_bytes, &q->next_start, &q->latest, &q->more);
  }
  return CAPE_OK;
}
static const cape_source_batch batch = {sizeof(cape_source_batch), 0, query_batch};
static const void *get_extension(void *self, const char *id) {
  (void)self;
  return strcmp(id, CAPE_EXT_SOURCE_BATCH) == 0 ? &batch : NULL;
}
#else
static const void *get_extension(void *self, const char *id) {
  (void)self, (void)id;
  return NULL;
}
#endif

static cape_status create(const struct cape_host *host, cape_bytes config, void **self) {
  (void)config;
  the_host = host;
  *self = &the_host;
  zeros = calloc(1, 2u << 20);
  if (zeros == NULL) return CAPE_NO_MEMORY;
  return host->ping(host, text("pinged"), 7);
}
static void destroy(void *self) {
  (void)self;
  free(zeros);
}

static const cape_source source = {sizeof(cape_source), 0, create, destroy, latest, query, scan, get_extension};
static const void *get_factory(const char *id) { return strcmp(id, CAPE_FACTORY_SOURCE) == 0 ? &source : NULL; }
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL, get_factory};
