/* The C half of a lambda in Go: the tables and the manifest, which Go cannot make, and calls through function
 * pointers, which it cannot do.
 */
#include <cape/plugin.h>
#include <string.h>

#include "_cgo_export.h"

cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t n);
cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t n) {
  cape_bytes output;
  output.ptr = at;
  output.len = n;
  return call->emit(call, 0, output);
}

void cape_go_reason(struct cape_call* call, void* at, uint64_t n);
void cape_go_reason(struct cape_call* call, void* at, uint64_t n) {
  cape_bytes reason;
  reason.ptr = at;
  reason.len = n;
  call->set_error(call, 0, 0, reason);
}

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  static int instance; /* Go keeps its own: memory of Go may not be kept by C */
  (void)host, (void)config;
  *self = &instance;
  return CAPE_OK;
}

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self;
  return process_event(call, (void*)event->payload.ptr, (int)event->payload.len);
}

static void destroy(void* self) {
  (void)self;
}

static const cape_lambda lambda = {sizeof(cape_lambda), 0, create, process, NULL, NULL, destroy, NULL};

static const void* get_factory(const char* id) {
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
}

CAPE_MANIFEST("go_guest", "1.0.0", CAPE_KIND_LAMBDA, 0);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
