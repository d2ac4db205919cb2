/* Says that it was built for major 9 of the ABI. */
#include <cape/plugin.h>

#undef CAPE_ABI_MAJOR
#define CAPE_ABI_MAJOR 9

static const void* get_factory(const char* id) {
  (void)id;
  return NULL;
}

CAPE_MANIFEST("wrong_abi", "1.0.0", CAPE_KIND_LAMBDA, 0);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
