/* A lambda in C99: one line of log for each event, with the operator's prefix.
 *
 * cape/plugin.h is the whole contract; each function stands there with its thread and its rules.
 */
#include <cape/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line_log {
  const struct cape_host* host; /* valid until destroy returns */
  cape_bytes prefix;            /* belongs to the host, valid until destroy */
};

static cape_bytes text(const char* words) {
  cape_bytes bytes;
  bytes.ptr = (const uint8_t*)words;
  bytes.len = strlen(words);
  return bytes;
}

/* Once for each process. BAD_CONFIG switches the lambda off; the log says why. */
static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  struct line_log* made;
  (void)config; /* the whole table as JSON; config_get reads one value */
  made = calloc(1, sizeof *made);
  if (made == NULL) return CAPE_NO_MEMORY;
  made->host = host;
  if (host->config_get(host, text("prefix"), &made->prefix) != CAPE_OK) {
    host->log(host, CAPE_LOG_ERROR, text("config key 'prefix' is missing: set it in cape.toml"));
    free(made);
    return CAPE_BAD_CONFIG;
  }
  *self = made;
  return CAPE_OK;
}

/* Each event, in order for one subject. What `event` points to is gone when this returns; none of it ends
 * with a NUL, so lengths go everywhere. */
static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  const struct line_log* log = self;
  char line[512];
  int bytes;
  if (event->payload.len == 0) {
    call->set_error(call, 0, 0, text("no text"));
    return CAPE_SKIPPED; /* done, and counted apart. CAPE_RETRY runs it again, CAPE_FAILED parks the subject
                          */
  }
  bytes =
      snprintf(line, sizeof line, "%.*s %.*s: %.*s", (int)log->prefix.len, (const char*)log->prefix.ptr,
               (int)event->subject.len, (const char*)event->subject.ptr,
               (int)(event->payload.len < 200 ? event->payload.len : 200), (const char*)event->payload.ptr);
  if (bytes < 0) return CAPE_INTERNAL;
  log->host->log(log->host, CAPE_LOG_INFO, text(line));
  return CAPE_OK;
}

static void destroy(void* self) {
  free(self);
}

static const cape_lambda lambda = {sizeof(cape_lambda), 0, create, process, NULL, NULL, destroy, NULL};

static const void* get_factory(const char* id) {
  return strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : NULL;
}

/* Read without running any code: id, version, kind, wishes. */
CAPE_MANIFEST("line_log", "1.0.0", CAPE_KIND_LAMBDA, 0);
/* The one exported symbol. */
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
