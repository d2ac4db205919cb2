/* A lambda over ABI 1 as a plugin author would have built it with this release, for tests that run it on
 * every later one. It uses all that a lambda can: config, log, metrics, inputs, outputs in both ways,
 * reasons, batches, flush, cancellation, deadlines. Without the C library, so that it stays small and asks
 * nothing of a machine.
 */
#include <cape/plugin.h>

static const struct cape_host* host;
static uint32_t runs_metric;
static uint64_t batch_runs, flushes;

static uint64_t length(const char* text) {
  uint64_t n = 0;
  while (text[n] != '\0') ++n;
  return n;
}
static cape_bytes bytes(const char* text) {
  cape_bytes made;
  made.ptr = (const uint8_t*)text;
  made.len = length(text);
  return made;
}
static int is(cape_bytes left, const char* right) {
  uint64_t i;
  if (left.len != length(right)) return 0;
  for (i = 0; i < left.len; ++i)
    if (left.ptr[i] != (uint8_t)right[i]) return 0;
  return 1;
}

static cape_status create(const struct cape_host* given, cape_bytes config, void** self) {
  cape_bytes prefix;
  (void)config;
  if (!CAPE_HAS(given, log) || !CAPE_HAS(given, config_get) || !CAPE_HAS(given, metric))
    return CAPE_UNSUPPORTED;
  if (given->config_get(given, bytes("prefix"), &prefix) != CAPE_OK) {
    given->log(given, CAPE_LOG_ERROR, bytes("config key 'prefix' is missing"));
    return CAPE_BAD_CONFIG;
  }
  host = given;
  runs_metric = host->metric(host, bytes("runs"), 0);
  *self = &batch_runs;
  return CAPE_OK;
}

/* The prefix, the topology and lambda it runs as, the payload, and what an upstream lambda gave. */
static cape_status answer(struct cape_call* call, uint32_t index, const cape_event* event) {
  cape_bytes parts[5];
  uint64_t total = 0, at = 0, i;
  uint32_t part;
  uint8_t* room = NULL;
  cape_status status;
  host->config_get(host, bytes("prefix"), &parts[0]);
  parts[1] = host->topology;
  parts[2] = event->subject;
  parts[3] = event->payload;
  parts[4] = event->input_count > 0 ? event->inputs[0]->output : bytes("-");
  for (part = 0; part < 5; ++part) total += parts[part].len + 1;
  status = call->reserve(call, index, total, &room);
  if (status != CAPE_OK) return status;
  for (part = 0; part < 5; ++part) {
    for (i = 0; i < parts[part].len; ++i) room[at++] = parts[part].ptr[i];
    room[at++] = ' ';
  }
  return call->commit(call, at - 1);
}

static cape_status process(void* self, struct cape_call* call, const cape_event* event) {
  ++*(uint64_t*)self;
  host->metric_add(host, runs_metric, 1);
  if (call->is_cancelled(call)) return CAPE_CANCELLED;
  if (is(event->type, "skip")) {
    call->set_error(call, 0, 17, bytes("skipped on purpose"));
    return CAPE_SKIPPED;
  }
  if (is(event->payload, "fail")) {
    call->set_error(call, 0, 18, bytes("failed on purpose"));
    return CAPE_FAILED;
  }
  if (is(event->payload, "emit")) return call->emit(call, 0, bytes("emitted"));
  call->heartbeat(call);
  host->log(host, CAPE_LOG_INFO, event->payload);
  return event->sequence > 0 && event->fence > 0 && event->struct_size >= 128 ? answer(call, 0, event)
                                                                              : CAPE_INTERNAL;
}

static cape_status process_batch(void* self, struct cape_call* call, const cape_event* const* events,
                                 uint32_t n, cape_status* out) {
  uint32_t i;
  ++*(uint64_t*)self;
  for (i = 0; i < n; ++i) {
    out[i] = answer(call, i, events[i]);
    if (out[i] != CAPE_OK)
      while (++i < n) out[i] = CAPE_CANCELLED;
  }
  return CAPE_OK;
}

static cape_status flush(void* self, struct cape_call* call) {
  (void)self, (void)call;
  ++flushes;
  return CAPE_OK;
}

static void destroy(void* self) {
  (void)self;
}

static const cape_lambda lambda = {
    sizeof(cape_lambda), CAPE_LAMBDA_ORDERED_BATCH, create, process, process_batch, flush, destroy, NULL};

static const void* get_factory(const char* id) {
  return is(bytes(id), CAPE_FACTORY_LAMBDA) ? &lambda : NULL;
}

CAPE_MANIFEST("golden_lambda", "1.0.0", CAPE_KIND_LAMBDA, 0);
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
