/* tests/plugin_api/layout_lists.h - ABI 1: every struct with its size, each field with its offset, and the
 * numbers that have names, as they were released. SIZE(type, bytes), AT(type, field, offset) and
 * VALUE(name, value) are for the includer to define: layout.h asserts them, tests/abi prints what the
 * compiler has instead. No include guard: a list, not a header.
 */
SIZE(cape_status, 4);

SIZE(cape_bytes, 16);
AT(cape_bytes, ptr, 0);
AT(cape_bytes, len, 8);

SIZE(cape_note, 128);
AT(cape_note, note_size, 0);
AT(cape_note, abi_major, 4);
AT(cape_note, abi_minor, 6);
AT(cape_note, abi_min_minor, 8);
AT(cape_note, reserved0, 10);
AT(cape_note, kinds, 12);
AT(cape_note, wants, 16);
AT(cape_note, reserved1, 20);
AT(cape_note, id, 32);
AT(cape_note, version, 96);

SIZE(cape_input, 32);
AT(cape_input, lambda, 0);
AT(cape_input, output, 16);

SIZE(cape_event, 128);
AT(cape_event, sequence, 0);
AT(cape_event, time_ns, 8);
AT(cape_event, domain, 16);
AT(cape_event, subject, 32);
AT(cape_event, type, 48);
AT(cape_event, payload, 64);
AT(cape_event, fence, 80);
AT(cape_event, attempt, 88);
AT(cape_event, flags, 92);
AT(cape_event, input_count, 96);
AT(cape_event, struct_size, 100);
AT(cape_event, inputs, 104);
AT(cape_event, reserved, 112);

SIZE(cape_lambda, 56);
AT(cape_lambda, struct_size, 0);
AT(cape_lambda, flags, 4);
AT(cape_lambda, create, 8);
AT(cape_lambda, process, 16);
AT(cape_lambda, process_batch, 24);
AT(cape_lambda, flush, 32);
AT(cape_lambda, destroy, 40);
AT(cape_lambda, get_extension, 48);

SIZE(cape_source, 56);
AT(cape_source, struct_size, 0);
AT(cape_source, flags, 4);
AT(cape_source, create, 8);
AT(cape_source, destroy, 16);
AT(cape_source, latest, 24);
AT(cape_source, query, 32);
AT(cape_source, scan, 40);
AT(cape_source, get_extension, 48);

SIZE(cape_source_query, 48);
AT(cape_source_query, subject, 0);
AT(cape_source_query, start, 16);
AT(cape_source_query, next_start, 24);
AT(cape_source_query, latest, 32);
AT(cape_source_query, more, 40);
AT(cape_source_query, status, 44);

SIZE(cape_source_batch, 16);
AT(cape_source_batch, struct_size, 0);
AT(cape_source_batch, reserved, 4);
AT(cape_source_batch, query_batch, 8);

SIZE(cape_host, 144);
AT(cape_host, struct_size, 0);
AT(cape_host, abi_major, 4);
AT(cape_host, abi_minor, 6);
AT(cape_host, host_data, 8);
AT(cape_host, name, 16);
AT(cape_host, version, 24);
AT(cape_host, log, 32);
AT(cape_host, metric, 40);
AT(cape_host, metric_add, 48);
AT(cape_host, config_get, 56);
AT(cape_host, ping, 64);
AT(cape_host, domain, 72);
AT(cape_host, topology, 88);
AT(cape_host, lambda, 104);
AT(cape_host, state_dir, 120);
AT(cape_host, get_extension, 136);

SIZE(cape_call, 96);
AT(cape_call, struct_size, 0);
AT(cape_call, reserved, 4);
AT(cape_call, call_data, 8);
AT(cape_call, emit, 16);
AT(cape_call, reserve, 24);
AT(cape_call, commit, 32);
AT(cape_call, emit_event, 40);
AT(cape_call, emit_subject, 48);
AT(cape_call, begin_query, 56);
AT(cape_call, set_error, 64);
AT(cape_call, heartbeat, 72);
AT(cape_call, is_cancelled, 80);
AT(cape_call, deadline_ns, 88);

SIZE(cape_entry, 32);
AT(cape_entry, struct_size, 0);
AT(cape_entry, abi_major, 4);
AT(cape_entry, abi_minor, 6);
AT(cape_entry, init, 8);
AT(cape_entry, deinit, 16);
AT(cape_entry, get_factory, 24);

SIZE(cape_ping_code, 4);

SIZE(cape_ping_options, 56);
AT(cape_ping_options, struct_size, 0);
AT(cape_ping_options, linger_ms, 4);
AT(cape_ping_options, data_dir, 8);
AT(cape_ping_options, push, 16);
AT(cape_ping_options, ping, 24);
AT(cape_ping_options, server_public, 32);
AT(cape_ping_options, public_key, 40);
AT(cape_ping_options, secret_key, 48);

VALUE(CAPE_ABI_MAJOR, 1);
VALUE(CAPE_KIND_LAMBDA, 1);
VALUE(CAPE_KIND_SOURCE, 2);
VALUE(CAPE_WANTS_STATE, 1);
VALUE(CAPE_WANTS_READ, 2);
VALUE(CAPE_WANTS_WRITE, 4);
VALUE(CAPE_WANTS_NETWORK, 8);
VALUE(CAPE_NOTE_TYPE, 1);
VALUE(CAPE_OK, 0);
VALUE(CAPE_SKIPPED, 1);
VALUE(CAPE_RETRY, 2);
VALUE(CAPE_NOT_FOUND, 3);
VALUE(CAPE_FAILED, -1);
VALUE(CAPE_BAD_INPUT, -2);
VALUE(CAPE_BAD_CONFIG, -3);
VALUE(CAPE_UNSUPPORTED, -4);
VALUE(CAPE_CANCELLED, -5);
VALUE(CAPE_NO_MEMORY, -6);
VALUE(CAPE_LIMIT, -7);
VALUE(CAPE_INTERNAL, -8);
VALUE(CAPE_SIGNALED, -101);
VALUE(CAPE_HUNG, -102);
VALUE(CAPE_VIOLATION, -103);
VALUE(CAPE_OOM, -104);
VALUE(CAPE_EXITED, -105);
VALUE(CAPE_PROTOCOL, -106);
VALUE(CAPE_SETUP, -107);
VALUE(CAPE_EXTERNAL_KILL, -108);
VALUE(CAPE_EVENT_MAY_REPEAT, 1);
VALUE(CAPE_EVENT_REPLAY, 2);
VALUE(CAPE_EVENT_LATE, 4);
VALUE(CAPE_LAMBDA_PARALLEL, 1);
VALUE(CAPE_LAMBDA_ORDERED_BATCH, 2);
VALUE(CAPE_LAMBDA_SHARES_STATE, 4);
VALUE(CAPE_LOG_DEBUG, 0);
VALUE(CAPE_LOG_INFO, 1);
VALUE(CAPE_LOG_WARNING, 2);
VALUE(CAPE_LOG_ERROR, 3);
VALUE(CAPE_PING_OK, 0);
VALUE(CAPE_PING_BUSY, 1);
VALUE(CAPE_PING_REFUSED, 2);
VALUE(CAPE_PING_UNAVAILABLE, -1);
VALUE(CAPE_PING_INVALID, -2);
VALUE(CAPE_PING_FAILED, -3);
