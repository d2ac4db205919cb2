/* A plugin whose tables or manifest are wrong in one place, by a definition. */
#ifdef MINOR_FROM_THE_FUTURE
#define CAPE_ABI_MIN_MINOR 99
#endif
#include <cape/plugin.h>
#include <string.h>
#ifdef MINOR_FROM_THE_FUTURE
#undef CAPE_ABI_MINOR
#define CAPE_ABI_MINOR 99
#endif

CAPE_MANIFEST(TABLES_ID, "1.0.0", CAPE_KIND_LAMBDA, 0);

#ifndef LAMBDA_BYTES
#define LAMBDA_BYTES sizeof(cape_lambda)
#endif
#ifndef ENTRY_BYTES
#define ENTRY_BYTES sizeof(cape_entry)
#endif

static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)host, (void)config;
  *self = NULL;
  return CAPE_OK;
}
static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  (void)self, (void)call, (void)event;
  return CAPE_OK;
}
static void destroy(void* self) {
  (void)self;
}

#ifdef NULL_PROCESS
#define PROCESS NULL
#else
#define PROCESS process
#endif
static const cape_lambda lambda = {LAMBDA_BYTES, 0, create, PROCESS, NULL, NULL, destroy, NULL};

static const void* get_factory(const char* id) {
  (void)process, (void)lambda;
#if defined(GARBAGE_FACTORY)
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? (const char*)0x10 : NULL;
#elif defined(NO_FACTORY)
  return (void)id, NULL;
#elif defined(PREFIX_FACTORY)
  return strncmp(id, CAPE_FACTORY_LAMBDA, strlen("cape.lambda/")) == 0 ? &lambda : NULL;
#else
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
#endif
}

#ifndef NO_ENTRY
const cape_entry cape_entry_v1 = {ENTRY_BYTES, CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL, get_factory};
#else
const void* (*const nobody_asks)(const char*) = get_factory;
#endif
