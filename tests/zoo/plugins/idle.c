/* Does nothing, well: what a call costs that does. */
#include "guest.h"

static cape_status act(struct cape_call* call, const cape_event* event) {
  (void)call;
  (void)event;
  return CAPE_OK;
}

GUEST("idle");
