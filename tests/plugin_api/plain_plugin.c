/* A lambda over the C ABI alone, as C99 and as C++11: it passes payloads on and counts what it did. */
#include "layout.h"

static uint64_t runs;

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)config;
  if (!CAPE_HAS(host, log)) return CAPE_UNSUPPORTED;
  *self = &runs;
  return CAPE_OK;
}

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  ++*(uint64_t*)self;
  return call->emit(call, 0, event->payload);
}

static void destroy(void* self) {
  *(uint64_t*)self = 0;
}

static const cape_lambda lambda = {
    sizeof(cape_lambda), CAPE_LAMBDA_SHARES_STATE, create, process, NULL, NULL, destroy, NULL};

static const void* get_factory(const char* id) {
  const char* known = CAPE_FACTORY_LAMBDA;
  while (*known != '\0' && *id == *known) ++id, ++known;
  return *known == *id ? &lambda : NULL;
}

CAPE_MANIFEST("plain_plugin", "1.2.3", CAPE_KIND_LAMBDA, CAPE_WANTS_STATE | CAPE_WANTS_READ);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
