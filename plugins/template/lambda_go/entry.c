/* The C half of a lambda in Go: the manifest and the tables, which Go cannot make, and calls through function
 * pointers, which it cannot do. What to change first: the id in CAPE_MANIFEST.
 */
#include <cape/plugin.h>
#include <string.h>

#include "_cgo_export.h"

static const struct cape_host* the_host; /* the same for every instance of one process */

static cape_bytes bytes_of(void* at, uint64_t size) {
  cape_bytes bytes;
  bytes.ptr = at;
  bytes.len = size;
  return bytes;
}

/* ---- what Go calls */
cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t bytes);
cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t bytes) {
  return call->emit(call, 0, bytes_of(at, bytes));
}

void cape_go_reason(struct cape_call* call, void* at, uint64_t bytes);
void cape_go_reason(struct cape_call* call, void* at, uint64_t bytes) {
  call->set_error(call, 0, 0, bytes_of(at, bytes));
}

void cape_go_log(void* at, uint64_t bytes);
void cape_go_log(void* at, uint64_t bytes) {
  the_host->log(the_host, CAPE_LOG_INFO, bytes_of(at, bytes));
}

/* ---- what the host calls */
static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  static int instance; /* memory of Go may not be kept by C */
  (void)config;
  the_host = host;
  *self = &instance;
  return CAPE_OK;
}

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self;
  return process_event(call, (cape_event*)event);
}

static void destroy(void* self) {
  (void)self;
}

static const cape_lambda lambda = {sizeof(cape_lambda), 0, create, process, NULL, NULL, destroy, NULL};

static const void* get_factory(const char* id) {
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
}

CAPE_MANIFEST("line_sizes", "1.0.0", CAPE_KIND_LAMBDA, 0);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
