/* tests/zoo/plugins/guest.h
 * A lambda over the C ABI alone for guests that want nothing between them and the system: the payload names
 * the act. GUEST("name") at the end of a file makes a plugin of `static cape_status act(struct cape_call*,
 * const cape_event*)`.
 *
 * A guest that is refused and lives to tell returns refused(): FAILED with errno as its code and its name as
 * the reason. OK means that the wall is missing. */
#ifndef CAPE_TESTS_ZOO_GUEST_H
#define CAPE_TESTS_ZOO_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cape/plugin.h>
#include <errno.h>
#include <string.h>

static inline cape_bytes text(const char* words) {
  cape_bytes bytes = {(const uint8_t*)words, strlen(words)};
  return bytes;
}

static inline int is(const cape_event* event, const char* act) {
  return event->payload.len == strlen(act) && memcmp(event->payload.ptr, act, event->payload.len) == 0;
}

static inline cape_status refused(struct cape_call* call) {
  const int error = errno;
  const char* name = strerrorname_np(error);
  call->set_error(call, 0, error, text(name ? name : "no errno"));
  return CAPE_FAILED;
}

static inline cape_status guest_create(const struct cape_host* host, cape_bytes config, void** self) {
  (void)config;
  *self = (void*)host;
  return CAPE_OK;
}
static inline void guest_destroy(void* self) {
  (void)self;
}

#define GUEST(id)                                                                                   \
  CAPE_MANIFEST(id, "1.0.0", CAPE_KIND_LAMBDA, 0);                                                  \
  static cape_status guest_process(void* self, struct cape_call* call, const cape_event* event) {   \
    (void)self;                                                                                     \
    return act(call, event);                                                                        \
  }                                                                                                 \
  static const cape_lambda guest_lambda = {                                                         \
      sizeof(cape_lambda), 0, guest_create, guest_process, NULL, NULL, guest_destroy, NULL};        \
  static const void* guest_factory(const char* wanted) {                                            \
    return strcmp(wanted, CAPE_FACTORY_LAMBDA) == 0 ? &guest_lambda : NULL;                         \
  }                                                                                                 \
  const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL, \
                                    guest_factory}

#endif
