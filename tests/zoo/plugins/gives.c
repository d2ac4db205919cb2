/* Gives its payload back as its output: copied by emit(), or, if it begins with 'r', written in place. What an
 * output costs. */
#include "guest.h"

static cape_status act(struct cape_call* call, const cape_event* event) {
  const cape_bytes payload = event->payload;
  if (payload.len == 0 || payload.ptr[0] != 'r') return call->emit(call, 0, payload);
  uint8_t* room = NULL;
  const cape_status status = call->reserve(call, 0, payload.len, &room);
  if (status != CAPE_OK) return status;
  memcpy(room, payload.ptr, payload.len);
  return call->commit(call, payload.len);
}

GUEST("gives");
