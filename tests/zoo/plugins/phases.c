/* Misbehaves in one phase of its life, PHASE_constructor, PHASE_init, PHASE_destroy, PHASE_deinit or
 * PHASE_resolver, by a loop or, with CRASH, by a bad write. */
#include <cape/plugin.h>
#include <string.h>

CAPE_MANIFEST(PHASE_ID, "1.0.0", CAPE_KIND_LAMBDA, 0);

static void misbehave(void) {
  int* volatile nowhere = (int*)8;
#ifdef CRASH
  *nowhere = 1;
#endif
  for (volatile int forever = nowhere != 0; forever;) {
  }
}

#ifdef PHASE_constructor
__attribute__((constructor)) static void construct(void) {
  misbehave();
}
#endif
#ifdef PHASE_resolver
static int number(void) {
  return 7;
}
static int (*resolve(void))(void) {
  int* volatile nowhere = (int*)8;
  *nowhere = 1;
  return number;
}
int resolved(void) __attribute__((ifunc("resolve"), visibility("default")));
#endif

static cape_status init(const struct cape_host* host) {
  (void)host;
#ifdef PHASE_init
  misbehave();
#endif
  return CAPE_OK;
}
static void deinit(void) {
#ifdef PHASE_deinit
  misbehave();
#endif
}
static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)host, (void)config;
#ifdef PHASE_create
  misbehave();
#endif
  *self = NULL;
  return CAPE_OK;
}
static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self, (void)call, (void)event;
#ifdef PHASE_resolver
  return resolved() == 7 ? CAPE_OK : CAPE_INTERNAL;
#else
  return CAPE_OK;
#endif
}
static void destroy(void* self) {
  (void)self, (void)misbehave;
#ifdef PHASE_destroy
  misbehave();
#endif
}

static const cape_lambda lambda = {sizeof(cape_lambda), 0, create, process, NULL, NULL, destroy, NULL};
static const void* get_factory(const char* id) {
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
}
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, init, deinit,
                                  get_factory};
