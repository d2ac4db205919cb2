/* A source over ABI 1 as a plugin author would have built it with this release: subjects "a" with three
 * events and "b" with one, asked one by one or many in a call.
 */
#include <cape/plugin.h>

static int equal(cape_bytes left, const char* right) {
  uint64_t i;
  for (i = 0; i < left.len; ++i)
    if (right[i] == '\0' || left.ptr[i] != (uint8_t)right[i]) return 0;
  return right[left.len] == '\0';
}
static cape_bytes bytes(const char* text) {
  cape_bytes made;
  made.ptr = (const uint8_t*)text;
  for (made.len = 0; text[made.len] != '\0';) ++made.len;
  return made;
}
static int64_t last_of(cape_bytes subject) {
  return equal(subject, "a") ? 3 : equal(subject, "b") ? 1 : 0;
}

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  static int instance;
  (void)config;
  if (!CAPE_HAS(host, ping) || host->domain.len == 0) return CAPE_UNSUPPORTED;
  *self = &instance;
  return CAPE_OK;
}
static void destroy(void* self) {
  (void)self;
}

static cape_status latest(void* self, struct cape_call* call, cape_bytes subject, int64_t* bound) {
  (void)self, (void)call;
  *bound = last_of(subject);
  return *bound > 0 ? CAPE_OK : CAPE_NOT_FOUND;
}

static cape_status query(void* self, struct cape_call* call, cape_bytes subject, int64_t start,
                         uint32_t max_events, uint64_t max_bytes, int64_t* next_start, int64_t* upto,
                         uint32_t* more) {
  uint32_t count;
  (void)self, (void)max_bytes;
  *upto = last_of(subject);
  if (*upto == 0) return CAPE_NOT_FOUND;
  *next_start = start;
  for (count = 0; count < max_events && *next_start <= *upto; ++count, ++*next_start) {
    cape_event event = {0};
    cape_status status;
    event.struct_size = sizeof event;
    event.sequence = *next_start;
    event.time_ns = *next_start * 1000;
    event.type = bytes("golden");
    event.payload = subject;
    status = call->emit_event(call, &event);
    if (status == CAPE_LIMIT) break;
    if (status != CAPE_OK) return status;
  }
  *more = *next_start <= *upto;
  return CAPE_OK;
}

static cape_status scan(void* self, struct cape_call* call, cape_bytes token, uint32_t max_subjects,
                        uint32_t* more) {
  static const char* const names[2] = {"a", "b"};
  uint32_t i, given = 0;
  (void)self;
  *more = 0;
  for (i = 0; i < 2; ++i) {
    if (token.len > 0 && (uint8_t)names[i][0] <= token.ptr[0]) continue;
    if (given == max_subjects) {
      *more = 1;
      break;
    }
    if (call->emit_subject(call, bytes(names[i]), last_of(bytes(names[i]))) != CAPE_OK) return CAPE_INTERNAL;
    ++given;
  }
  return CAPE_OK;
}

static cape_status query_batch(void* self, struct cape_call* call, cape_source_query* queries, uint32_t n,
                               uint32_t max_events, uint64_t max_bytes) {
  uint32_t i;
  for (i = 0; i < n; ++i) {
    const cape_status begun = call->begin_query(call, i);
    if (begun != CAPE_OK) return begun;
    queries[i].status = query(self, call, queries[i].subject, queries[i].start, max_events, max_bytes,
                              &queries[i].next_start, &queries[i].latest, &queries[i].more);
  }
  return CAPE_OK;
}

static const cape_source_batch batch = {sizeof(cape_source_batch), 0, query_batch};
static const void* get_extension(void* self, const char* id) {
  (void)self;
  return equal(bytes(id), CAPE_EXT_SOURCE_BATCH) ? &batch : NULL;
}

static const cape_source source = {sizeof(cape_source), 0, create, destroy, latest, query, scan,
                                   get_extension};
static const void* get_factory(const char* id) {
  return equal(bytes(id), CAPE_FACTORY_SOURCE) ? &source : NULL;
}

CAPE_MANIFEST("golden_source", "1.0.0", CAPE_KIND_SOURCE, 0);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
