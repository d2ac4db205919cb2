//! Prints the tables of plugin_api/rust/cape.rs as this compiler lays them out, in the form of tests/abi/layout.txt.
use std::mem::{size_of, MaybeUninit};

fn bytes_of<T>(_: *const T) -> usize {
    size_of::<T>()
}

macro_rules! layout {
    ($name:literal, $type:ident, $($field:ident),*) => {{
        println!("{} {}", $name, size_of::<cape::abi::$type>());
        let any = MaybeUninit::<cape::abi::$type>::uninit();
        let base = any.as_ptr();
        $(
            // Only addresses are taken, nothing is read.
            let field = unsafe { std::ptr::addr_of!((*base).$field) };
            println!(
                "{}.{} {} {}", $name, stringify!($field).trim_start_matches("r#"), field as usize - base as usize,
                bytes_of(field)
            );
        )*
    }};
}
macro_rules! values {
    ($($c:ident = $rust:expr),* $(,)?) => { $( println!("{} {}", stringify!($c), $rust); )* };
}

fn main() {
    println!("cape_status {}", size_of::<cape::abi::Status>());
    layout!("cape_bytes", Bytes, ptr, len);
    layout!("cape_note", Note, note_size, abi_major, abi_minor, abi_min_minor, reserved0, kinds, wants, reserved1, id, version);
    layout!("cape_input", Input, lambda, output);
    layout!("cape_event", Event, sequence, time_ns, domain, subject, r#type, payload, fence, attempt, flags, input_count,
        struct_size, inputs, reserved);
    layout!("cape_lambda", Lambda, struct_size, flags, create, process, process_batch, flush, destroy, get_extension);
    layout!("cape_source", Source, struct_size, flags, create, destroy, latest, query, scan, get_extension);
    layout!("cape_host", Host, struct_size, abi_major, abi_minor, host_data, name, version, log, metric, metric_add,
        config_get, ping, domain, topology, lambda, state_dir, get_extension);
    layout!("cape_call", Call, struct_size, reserved, call_data, emit, reserve, commit, emit_event, emit_subject,
        begin_query, set_error, heartbeat, is_cancelled, deadline_ns);
    layout!("cape_entry", Entry, struct_size, abi_major, abi_minor, init, deinit, get_factory);
    use cape::abi;
    values!(
        CAPE_ABI_MAJOR = abi::ABI_MAJOR, CAPE_KIND_LAMBDA = abi::KIND_LAMBDA, CAPE_KIND_SOURCE = abi::KIND_SOURCE,
        CAPE_NOT_FOUND = abi::NOT_FOUND, CAPE_WANTS_STATE = cape::WANTS_STATE, CAPE_WANTS_READ = cape::WANTS_READ, CAPE_WANTS_WRITE = cape::WANTS_WRITE, CAPE_NOTE_TYPE = abi::NOTE_TYPE,
        CAPE_OK = abi::OK, CAPE_SKIPPED = abi::SKIPPED, CAPE_RETRY = abi::RETRY, CAPE_FAILED = abi::FAILED,
        CAPE_BAD_INPUT = abi::BAD_INPUT, CAPE_BAD_CONFIG = abi::BAD_CONFIG, CAPE_CANCELLED = abi::CANCELLED,
        CAPE_LIMIT = abi::LIMIT, CAPE_INTERNAL = abi::INTERNAL, CAPE_EVENT_MAY_REPEAT = abi::EVENT_MAY_REPEAT,
        CAPE_EVENT_REPLAY = abi::EVENT_REPLAY, CAPE_EVENT_LATE = abi::EVENT_LATE,
        CAPE_LAMBDA_SHARES_STATE = cape::SHARES_STATE,
    );
}
