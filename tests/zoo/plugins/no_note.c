/* A correct entry without a manifest. */
#include <cape/plugin.h>

static const void* get_factory(const char* id) {
  (void)id;
  return NULL;
}

const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
