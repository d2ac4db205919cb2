/* cape/plugin.h - the C ABI between Cape and a plugin, major 1.
 *
 * A plugin is a shared library with one exported symbol, `cape_entry_v1`, and one ELF note, its manifest.
 * It is loaded into a sandboxed process of its own; a crash, a hang or an exit costs that process only.
 *
 * Words used beside each function:
 *   [control]  called on the child's main thread, never beside another call of the same instance
 *   [worker]   at most one call per instance at a time (unless flag CAPE_LAMBDA_PARALLEL); the OS thread
 *              may change between calls
 *   [any]      any thread at any time between create and destroy
 *
 * Memory: nobody frees what the other allocated. Inputs are readable until the call returns and lie in
 * read-only pages. Outputs are copied by emit(). Strings that a plugin hands out once (factories, names)
 * live until deinit. No C++ type, exception or longjmp crosses this boundary.
 *
 * Growth: every table starts with struct_size; a reader uses CAPE_HAS before a field newer than 1.0. New
 * functions are always optional. A plugin built with 1.x loads on every host 1.y with y >= its
 * abi_min_minor, without a rebuild, for the life of major 1.
 *
 * This header is C99 and C++11 clean and needs <stdint.h> and <stddef.h> alone.
 */
#ifndef CAPE_PLUGIN_H
#define CAPE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAPE_ABI_MAJOR 1
#define CAPE_ABI_MINOR 0
/* The oldest minor a plugin can run on. Define it before the include to claim an older one. */
#ifndef CAPE_ABI_MIN_MINOR
#define CAPE_ABI_MIN_MINOR 0
#endif

/* Does the table behind `table` reach as far as `field`? */
#define CAPE_HAS(table, field) \
  ((table)->struct_size >= CAPE_FIELD_END_(table, field) && (table)->field != 0)
#define CAPE_FIELD_END_(table, field) \
  ((size_t)((const char *)&(table)->field - (const char *)(table)) + sizeof((table)->field))

/* ------------------------------------------------------------------------------------------ status */
/* Not an enum: a fixed size, and unknown values are legal input to the host (they count as FAILED). */
typedef int32_t cape_status;

#define CAPE_OK 0
#define CAPE_SKIPPED 1       /* filtered on purpose; counts as processed                          */
#define CAPE_RETRY 2         /* transient: the event runs again after a backoff                   */
#define CAPE_NOT_FOUND 3     /* sources: no such subject                                          */
#define CAPE_FAILED (-1)     /* permanent: the subject is parked until an operator acts           */
#define CAPE_BAD_INPUT (-2)  /* permanent; counted apart                                          */
#define CAPE_BAD_CONFIG (-3) /* from create: the plugin is disabled until its config changes      */
#define CAPE_UNSUPPORTED (-4)
#define CAPE_CANCELLED (-5)
#define CAPE_NO_MEMORY (-6)
#define CAPE_LIMIT (-7) /* an output or a log line went over its cap; emit returns it, pass it on */
#define CAPE_INTERNAL (-8)
/* -100 .. -199 are the host's verdicts. A plugin that returns one has FAILED. */
#define CAPE_SIGNALED (-101)
#define CAPE_HUNG (-102)
#define CAPE_VIOLATION (-103)
#define CAPE_OOM (-104)
#define CAPE_EXITED (-105)
#define CAPE_PROTOCOL (-106)
#define CAPE_SETUP (-107)
#define CAPE_EXTERNAL_KILL (-108)

/* ------------------------------------------------------------------------------------------- basics */
typedef struct cape_bytes { /* never NUL-terminated by contract; UTF-8 where it is text; NULL + 0 is legal */
  const uint8_t *ptr;
  uint64_t len;
} cape_bytes;

struct cape_host;
struct cape_call;

/* (1) MANIFEST: read without running any code. ELF note, section ".note.cape", name "CAPE", type 1. */
#define CAPE_KIND_LAMBDA 1u
#define CAPE_KIND_SOURCE 2u
#define CAPE_WANTS_STATE 1u /* a private directory that survives restarts */
#define CAPE_WANTS_READ 2u
#define CAPE_WANTS_WRITE 4u
#define CAPE_WANTS_NETWORK 8u
#define CAPE_NOTE_TYPE 1u

typedef struct cape_note {
  uint32_t note_size; /* sizeof(cape_note) */
  uint16_t abi_major, abi_minor, abi_min_minor, reserved0;
  uint32_t kinds; /* CAPE_KIND_* */
  uint32_t wants; /* CAPE_WANTS_*: a wish. Only the operator's config grants. */
  uint32_t reserved1[3];
  char id[64];      /* [a-z][a-z0-9_]*, NUL-padded */
  char version[32]; /* not empty, NUL-padded */
} cape_note;

/* (3) LAMBDA ------------------------------------------------------------------------------------- */
typedef struct cape_input { /* the output of an upstream lambda for the same event */
  cape_bytes lambda, output;
} cape_input;

#define CAPE_EVENT_MAY_REPEAT 1u /* an earlier attempt may have run, wholly or in part */
#define CAPE_EVENT_REPLAY 2u
#define CAPE_EVENT_LATE 4u /* appeared below a bound the source had given */

typedef struct cape_event {
  int64_t sequence; /* > 0, strictly rising within a subject, gaps allowed */
  int64_t time_ns;  /* as the source says: nanoseconds since 1970, UTC */
  cape_bytes domain, subject, type, payload;
  uint64_t fence;   /* rises with every job of Cape; store it beside your effect to refuse an older one */
  uint32_t attempt; /* 0 for the first */
  uint32_t flags;   /* CAPE_EVENT_* */
  uint32_t input_count;
  uint32_t struct_size; /* of cape_event, set by whoever fills it */
  const cape_input *const *inputs;
  uint64_t reserved[2];
} cape_event;

#define CAPE_LAMBDA_PARALLEL 1u        /* calls may run in parallel on one instance */
#define CAPE_LAMBDA_ORDERED_BATCH 2u   /* process_batch keeps the order of the events of one subject */
#define CAPE_LAMBDA_SHARES_STATE 4u    /* several instances may share one state directory */

#define CAPE_FACTORY_LAMBDA "cape.lambda/1"
typedef struct cape_lambda {
  uint32_t struct_size, flags;
  /* [control] `config` is the operator's TOML table as UTF-8 JSON. BAD_CONFIG (say why with host->log)
   * disables the plugin. On OK *self is the instance; on anything else it is ignored. */
  cape_status (*create)(const struct cape_host *host, cape_bytes config, void **self);
  /* [worker] Runs one event. Must be idempotent: an event can run again. Needed beside process_batch, too: after
   * a crash in a call of several each event runs alone, and so does what is left over. */
  cape_status (*process)(void *self, struct cape_call *call, const cape_event *event);
  /* [worker] Optional. Runs n events and fills out[0..n-1]. Events of one subject are adjacent and rising;
   * after the first that is not OK or SKIPPED the later events of its subject must not be touched and get
   * CANCELLED. Without CAPE_LAMBDA_ORDERED_BATCH never two events of one subject in a call. Hosts give it the
   * events of one subject: up to 64 with that flag, one without; others may mix subjects. A return other
   * than OK counts for every event of the call. */
  cape_status (*process_batch)(void *self, struct cape_call *call, const cape_event *const *events,
                               uint32_t n, cape_status *out);
  /* [worker] Optional. Runs after the last event of a batch, before any of its outcomes is published. If
   * it is not OK, each OK of the batch becomes that status. */
  cape_status (*flush)(void *self, struct cape_call *call);
  /* [control] Joins the plugin's threads. No host call after it returned. */
  void (*destroy)(void *self);
  /* [any] Optional. NULL for unknown ids; no prefix matching. */
  const void *(*get_extension)(void *self, const char *id);
} cape_lambda;

/* (4) EVENT SOURCE -------------------------------------------------------------------------------- */
#define CAPE_FACTORY_SOURCE "cape.source/1"
typedef struct cape_source {
  uint32_t struct_size, flags;
  /* [control] as for a lambda. */
  cape_status (*create)(const struct cape_host *host, cape_bytes config, void **self);
  void (*destroy)(void *self);
  /* [worker] A SAFE upper bound: no event at or below it can still appear. NOT_FOUND: no such subject. */
  cape_status (*latest)(void *self, struct cape_call *call, cape_bytes subject,
                        int64_t *safe_upper_bound);
  /* [worker] Emits (call->emit_event) the events of `subject` from `start` on, rising, at most max_events
   * and about max_bytes of payload, but at least one if there is one. Proves [start, *next_start - 1]:
   * there is no other event in it. *latest is taken before the rows are read.
   * start <= *next_start <= max(start, *latest + 1). *more: events remain. Anything else is PROTOCOL. */
  cape_status (*query)(void *self, struct cape_call *call, cape_bytes subject, int64_t start,
                       uint32_t max_events, uint64_t max_bytes, int64_t *next_start, int64_t *latest,
                       uint32_t *more);
  /* [worker] Emits (call->emit_subject) subjects after `token` in rising byte order, at most max_subjects.
   * The token is the last subject seen; empty at the start. */
  cape_status (*scan)(void *self, struct cape_call *call, cape_bytes token, uint32_t max_subjects,
                      uint32_t *more);
  const void *(*get_extension)(void *self, const char *id); /* [any] optional */
} cape_source;

/* Extension of a source: many subjects in one call. */
#define CAPE_EXT_SOURCE_BATCH "cape.source.batch/1"
typedef struct cape_source_query {
  cape_bytes subject; /* in */
  int64_t start;      /* in */
  int64_t next_start, latest;
  uint32_t more;
  cape_status status; /* to be set, also to OK; a query left untouched has FAILED */
} cape_source_query;
typedef struct cape_source_batch {
  uint32_t struct_size, reserved;
  /* [worker] As n calls of query, in order. Events of queries[i] are emitted between
   * call->begin_query(call, i) and the next begin_query; set_error between them is the reason of
   * queries[i].status. max_events and max_bytes hold for each. A return other than OK counts for every
   * query of the call. */
  cape_status (*query_batch)(void *self, struct cape_call *call, cape_source_query *queries, uint32_t n,
                             uint32_t max_events, uint64_t max_bytes);
} cape_source_batch;

/* (5) HOST SERVICES: all served inside the child; no call waits for the host, none re-enters it ------ */
#define CAPE_LOG_DEBUG 0
#define CAPE_LOG_INFO 1
#define CAPE_LOG_WARNING 2
#define CAPE_LOG_ERROR 3

typedef struct cape_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  void *host_data;
  const char *name, *version;
  /* [any] cut at 4 KiB, rate limited; control characters are escaped. */
  void (*log)(const struct cape_host *host, int32_t severity, cape_bytes message);
  /* [control] An id for metric_add; 0: refused (the 65th name of a plugin, one over 128 bytes or not of
   * A-Z a-z 0-9 _ and dots). kind: 0 counter, 1 gauge: what is added may be below 0. Before create returns.
   */
  uint32_t (*metric)(const struct cape_host *host, cape_bytes name, int32_t kind);
  void (*metric_add)(const struct cape_host *host, uint32_t id, double value); /* [any] */
  /* [any] A scalar of the config by dotted key, as text; valid until destroy. NOT_FOUND without it. */
  cape_status (*config_get)(const struct cape_host *host, cape_bytes key, cape_bytes *out);
  /* [any] Sources only: `subject` may have something new. A hint: may be dropped. */
  cape_status (*ping)(const struct cape_host *host, cape_bytes subject, int64_t sequence_hint);
  cape_bytes domain, topology, lambda; /* the last two are empty in a source */
  cape_bytes state_dir;                /* absolute; empty without a state grant */
  const void *(*get_extension)(const struct cape_host *host, const char *id); /* [any] */
} cape_host;

typedef struct cape_call {
  uint32_t struct_size, reserved;
  void *call_data;
  /* [worker] Lambdas: the output of event `event_index` of this call (0 in process). Copies. A second one
   * for the same event is BAD_INPUT; over the cap LIMIT. Return it: the OK of an event whose output was
   * refused counts as that status, unless a smaller output of it was taken afterwards. */
  cape_status (*emit)(struct cape_call *call, uint32_t event_index, cape_bytes output);
  /* [worker] Writes an output in place: *dst has room for n bytes until the next reserve, commit or
   * return; commit tells how many were used. */
  cape_status (*reserve)(struct cape_call *call, uint32_t event_index, uint64_t n, uint8_t **dst);
  cape_status (*commit)(struct cape_call *call, uint64_t used);
  /* [worker] Sources. Only sequence, time_ns, type and payload are read. LIMIT: the answer is full; stop
   * and let next_start say how far it reaches. */
  cape_status (*emit_event)(struct cape_call *call, const cape_event *event);
  cape_status (*emit_subject)(struct cape_call *call, cape_bytes subject, int64_t latest);
  cape_status (*begin_query)(struct cape_call *call, uint32_t index);
  /* [worker] The reason that a person will read beside the outcome; cut at 1 KiB. event_index is 0 in flush
   * and not looked at in a source, where the reason belongs to the query that was begun. */
  void (*set_error)(struct cape_call *call, uint32_t event_index, int32_t app_code, cape_bytes message);
  void (*heartbeat)(struct cape_call *call); /* [worker] restarts the hang timer, not the hard cap */
  int32_t (*is_cancelled)(const struct cape_call *call); /* [worker] one atomic load */
  /* [worker] When the running event, or query, counts as hung: CLOCK_MONOTONIC, moved on by heartbeat up to
   * the hard cap; 0: never. */
  uint64_t (*deadline_ns)(const struct cape_call *call);
} cape_call;

/* (2) ENTRY: the only exported symbol. The major is part of its name, so majors can share one file. --- */
typedef struct cape_entry {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  cape_status (*init)(const struct cape_host *host); /* [control] optional; once, before everything */
  void (*deinit)(void);                              /* [control] optional; once, after the last destroy */
  const void *(*get_factory)(const char *id);        /* [any] NULL for unknown ids, no prefix matching */
} cape_entry;

#if defined(__GNUC__)
#define CAPE_EXPORT __attribute__((visibility("default")))
#else
#define CAPE_EXPORT
#endif
extern CAPE_EXPORT const cape_entry cape_entry_v1;

/* Writes the manifest into the file: CAPE_MANIFEST("audit_log", "1.0.0", CAPE_KIND_LAMBDA, CAPE_WANTS_STATE) */
#define CAPE_MANIFEST(plugin_id, plugin_version, kinds_bits, wants_bits)                                   \
  __attribute__((section(".note.cape"), used, aligned(4))) static const struct {                           \
    uint32_t namesz, descsz, type;                                                                         \
    char name[8];                                                                                          \
    cape_note desc;                                                                                        \
  } cape_manifest_ = {5, sizeof(cape_note), CAPE_NOTE_TYPE, "CAPE",                                        \
                      {sizeof(cape_note), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, CAPE_ABI_MIN_MINOR, 0,           \
                       kinds_bits, wants_bits, {0, 0, 0}, plugin_id, plugin_version}}

#ifdef __cplusplus
}
#endif
#endif /* CAPE_PLUGIN_H */
