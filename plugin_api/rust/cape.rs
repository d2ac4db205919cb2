//! cape - lambdas and event sources in Rust, over the C ABI of cape/plugin.h and nothing else: no crates.
//!
//! A lambda is a type that implements [`Lambda`], a source one that implements [`Source`], and one line at the end of
//! the file:
//!
//! ```ignore
//! cape::lambda!(WordCount, "word_count", "1.0.0");
//! cape::source!(LineSource, "line_source", "1.0.0", cape::WANTS_READ);
//! ```
//!
//! Build it as a cdylib (`cape_add_rust_plugin(NAME FILE.rs)` of the CMake package does). A panic is an outcome:
//! RETRY, with the panic's words. It must unwind for that; built with `-C panic=abort` it ends the process, which
//! counts as SIGNALED. Rust 1.63 and later. `abi` has the tables as they are in C; tests compare them with its
//! layout.
use std::fmt::Display;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::str::FromStr;

/// The C ABI, major 1, field for field. For what this file does not wrap; all contracts stand in cape/plugin.h.
pub mod abi {
    use std::ffi::c_void;
    use std::os::raw::c_char;

    pub type Status = i32;

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Bytes {
        pub ptr: *const u8,
        pub len: u64,
    }

    #[repr(C)]
    pub struct Note {
        pub note_size: u32,
        pub abi_major: u16,
        pub abi_minor: u16,
        pub abi_min_minor: u16,
        pub reserved0: u16,
        pub kinds: u32,
        pub wants: u32,
        pub reserved1: [u32; 3],
        pub id: [u8; 64],
        pub version: [u8; 32],
    }

    /// The note as it lies in the section `.note.cape`.
    #[repr(C, align(4))]
    pub struct Manifest {
        pub namesz: u32,
        pub descsz: u32,
        pub kind: u32,
        pub name: [u8; 8],
        pub desc: Note,
    }

    #[repr(C)]
    pub struct Input {
        pub lambda: Bytes,
        pub output: Bytes,
    }

    #[repr(C)]
    pub struct Event {
        pub sequence: i64,
        pub time_ns: i64,
        pub domain: Bytes,
        pub subject: Bytes,
        pub r#type: Bytes,
        pub payload: Bytes,
        pub fence: u64,
        pub attempt: u32,
        pub flags: u32,
        pub input_count: u32,
        pub struct_size: u32,
        pub inputs: *const *const Input,
        pub reserved: [u64; 2],
    }

    pub type Create = unsafe extern "C" fn(*const Host, Bytes, *mut *mut c_void) -> Status;
    pub type Process = unsafe extern "C" fn(*mut c_void, *mut Call, *const Event) -> Status;
    pub type ProcessBatch =
        unsafe extern "C" fn(*mut c_void, *mut Call, *const *const Event, u32, *mut Status) -> Status;
    pub type Flush = unsafe extern "C" fn(*mut c_void, *mut Call) -> Status;
    pub type Destroy = unsafe extern "C" fn(*mut c_void);
    pub type Latest = unsafe extern "C" fn(*mut c_void, *mut Call, Bytes, *mut i64) -> Status;
    pub type Query = unsafe extern "C" fn(
        *mut c_void, *mut Call, Bytes, i64, u32, u64, *mut i64, *mut i64, *mut u32,
    ) -> Status;
    pub type Scan = unsafe extern "C" fn(*mut c_void, *mut Call, Bytes, u32, *mut u32) -> Status;
    pub type Extension = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;

    #[repr(C)]
    pub struct Lambda {
        pub struct_size: u32,
        pub flags: u32,
        pub create: Option<Create>,
        pub process: Option<Process>,
        pub process_batch: Option<ProcessBatch>,
        pub flush: Option<Flush>,
        pub destroy: Option<Destroy>,
        pub get_extension: Option<Extension>,
    }

    #[repr(C)]
    pub struct Source {
        pub struct_size: u32,
        pub flags: u32,
        pub create: Option<Create>,
        pub destroy: Option<Destroy>,
        pub latest: Option<Latest>,
        pub query: Option<Query>,
        pub scan: Option<Scan>,
        pub get_extension: Option<Extension>,
    }

    #[repr(C)]
    pub struct Host {
        pub struct_size: u32,
        pub abi_major: u16,
        pub abi_minor: u16,
        pub host_data: *mut c_void,
        pub name: *const c_char,
        pub version: *const c_char,
        pub log: Option<unsafe extern "C" fn(*const Host, i32, Bytes)>,
        pub metric: Option<unsafe extern "C" fn(*const Host, Bytes, i32) -> u32>,
        pub metric_add: Option<unsafe extern "C" fn(*const Host, u32, f64)>,
        pub config_get: Option<unsafe extern "C" fn(*const Host, Bytes, *mut Bytes) -> Status>,
        pub ping: Option<unsafe extern "C" fn(*const Host, Bytes, i64) -> Status>,
        pub domain: Bytes,
        pub topology: Bytes,
        pub lambda: Bytes,
        pub state_dir: Bytes,
        pub get_extension: Option<unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void>,
    }

    #[repr(C)]
    pub struct Call {
        pub struct_size: u32,
        pub reserved: u32,
        pub call_data: *mut c_void,
        pub emit: Option<unsafe extern "C" fn(*mut Call, u32, Bytes) -> Status>,
        pub reserve: Option<unsafe extern "C" fn(*mut Call, u32, u64, *mut *mut u8) -> Status>,
        pub commit: Option<unsafe extern "C" fn(*mut Call, u64) -> Status>,
        pub emit_event: Option<unsafe extern "C" fn(*mut Call, *const Event) -> Status>,
        pub emit_subject: Option<unsafe extern "C" fn(*mut Call, Bytes, i64) -> Status>,
        pub begin_query: Option<unsafe extern "C" fn(*mut Call, u32) -> Status>,
        pub set_error: Option<unsafe extern "C" fn(*mut Call, u32, i32, Bytes)>,
        pub heartbeat: Option<unsafe extern "C" fn(*mut Call)>,
        pub is_cancelled: Option<unsafe extern "C" fn(*const Call) -> i32>,
        pub deadline_ns: Option<unsafe extern "C" fn(*const Call) -> u64>,
    }

    #[repr(C)]
    pub struct Entry {
        pub struct_size: u32,
        pub abi_major: u16,
        pub abi_minor: u16,
        pub init: Option<unsafe extern "C" fn(*const Host) -> Status>,
        pub deinit: Option<unsafe extern "C" fn()>,
        pub get_factory: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    }
    // A plugin's tables never change, and what they point to are functions.
    unsafe impl Sync for Entry {}
    unsafe impl Sync for Lambda {}
    unsafe impl Sync for Source {}

    pub const ABI_MAJOR: u16 = 1;
    pub const ABI_MINOR: u16 = 0;
    pub const NOTE_TYPE: u32 = 1;
    pub const KIND_LAMBDA: u32 = 1;
    pub const KIND_SOURCE: u32 = 2;

    pub const OK: Status = 0;
    pub const SKIPPED: Status = 1;
    pub const RETRY: Status = 2;
    pub const NOT_FOUND: Status = 3;
    pub const FAILED: Status = -1;
    pub const BAD_INPUT: Status = -2;
    pub const BAD_CONFIG: Status = -3;
    pub const CANCELLED: Status = -5;
    pub const LIMIT: Status = -7;
    pub const INTERNAL: Status = -8;

    pub const EVENT_MAY_REPEAT: u32 = 1;
    pub const EVENT_REPLAY: u32 = 2;
    pub const EVENT_LATE: u32 = 4;
}

/// Wishes, shown by `cape plugin list`; the operator's cape.toml grants.
pub const WANTS_STATE: u32 = 1;
pub const WANTS_READ: u32 = 2;
pub const WANTS_WRITE: u32 = 4;

/// Several instances may share one state directory: see CAPE_LAMBDA_SHARES_STATE of cape/plugin.h.
pub const SHARES_STATE: u32 = 4;

/// Why an event is not simply done, or a source has no answer. Reasons are read by people; the host cuts them at 1 KiB.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Filtered on purpose: counts as done.
    Skipped(String),
    /// The event runs again after a backoff.
    Retry(String),
    /// The subject is parked until an operator acts.
    Failed(String),
    /// The same, counted as the event's fault.
    BadInput(String),
    /// Only after `call.cancelled()` said so: runs again, no attempt is counted.
    Cancelled,
    /// Of sources alone: there is no such subject.
    NotFound,
    /// Another status of cape/plugin.h, such as the one that `call.emit` returned.
    Status(abi::Status),
}

/// `Ok(())` is OK. `?` turns any error of the standard library into a retry with its text.
pub type Done = Result<(), Outcome>;

impl<E: std::error::Error> From<E> for Outcome {
    fn from(error: E) -> Self {
        Outcome::Retry(error.to_string())
    }
}

impl Outcome {
    fn parts(&self) -> (abi::Status, &str) {
        match self {
            Outcome::Skipped(why) => (abi::SKIPPED, why),
            Outcome::Retry(why) => (abi::RETRY, why),
            Outcome::Failed(why) => (abi::FAILED, why),
            Outcome::BadInput(why) => (abi::BAD_INPUT, why),
            Outcome::Cancelled => (abi::CANCELLED, ""),
            Outcome::NotFound => (abi::NOT_FOUND, ""),
            Outcome::Status(status) => (*status, ""),
        }
    }
}

/// Why there is no instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The lambda is off until its config changes.
    BadConfig(String),
    /// Tried again after a backoff.
    NotNow(String),
}

/// One instance in each process. Calls come one at a time; the thread may change between them.
pub trait Lambda: Sized + 'static {
    /// CAPE_LAMBDA_* of cape/plugin.h, but neither PARALLEL nor ORDERED_BATCH.
    const FLAGS: u32 = 0;
    /// Is `flush` called? Then no event of a batch counts before it.
    const HAS_FLUSH: bool = false;

    /// Once, before any event. What is needed to run has to be opened here: afterwards only granted directories
    /// can be.
    fn create(host: &Host, config: &Config) -> Result<Self, Refusal>;
    /// Each event, in order within a subject. It can run again: see "An event can run again" of the plugin guide.
    fn process(&mut self, event: &Event, call: &mut Call) -> Done;
    /// After the last event of a batch, before any outcome of it counts; an error replaces every OK of it.
    fn flush(&mut self, _call: &mut Call) -> Done {
        Ok(())
    }
}

/// One instance in each process. Calls come one at a time; the thread may change between them. The contract stands
/// in cape/plugin.h, at `cape_source`.
pub trait Source: Sized + 'static {
    /// Once, before any question.
    fn create(host: &Host, config: &Config) -> Result<Self, Refusal>;
    /// A SAFE upper bound: no event of `subject` at or below it can still appear. NotFound: no such subject.
    fn latest(&mut self, subject: &str) -> Result<i64, Outcome>;
    /// Emits the events of `query.subject` from `query.start` on, rising, and proves [start, next_start - 1]: there is
    /// no other event in it. NotFound: no such subject.
    fn query(&mut self, query: &Query, events: &mut Events) -> Result<Answer, Outcome>;
    /// Emits the subjects above `token` in rising byte order; true: there are more. The token is the last subject
    /// seen, empty at the start.
    fn scan(&mut self, token: &str, subjects_max: u32, subjects: &mut Subjects) -> Result<bool, Outcome>;
}

/// What a source is asked.
pub struct Query<'a> {
    pub subject: &'a str,
    /// Inclusive.
    pub start: i64,
    pub events_max: u32,
    /// Of payload, about: one event is always allowed.
    pub bytes_max: u64,
}

/// start <= next_start <= max(start, latest + 1). Anything else ends the source with PROTOCOL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The first sequence that the answer says nothing about.
    pub next_start: i64,
    /// Taken before the events were read.
    pub latest: i64,
    /// Events remain from next_start on.
    pub more: bool,
}

/// An event of a source's answer.
pub struct Row<'a> {
    /// Above 0.
    pub sequence: i64,
    /// Nanoseconds since 1970, UTC.
    pub time_ns: i64,
    pub kind: &'a str,
    pub payload: &'a [u8],
}

/// Where `query` puts its events. For its thread, until it returns.
pub struct Events(Call);

impl Events {
    /// Copies. false: the answer is full and this event is not in it; stop and set next_start at or below it.
    pub fn emit(&mut self, row: &Row) -> Result<bool, Outcome> {
        let nothing = bytes(&[]);
        let event = abi::Event {
            sequence: row.sequence,
            time_ns: row.time_ns,
            domain: nothing,
            subject: nothing,
            r#type: bytes(row.kind.as_bytes()),
            payload: bytes(row.payload),
            fence: 0,
            attempt: 0,
            flags: 0,
            input_count: 0,
            struct_size: std::mem::size_of::<abi::Event>() as u32,
            inputs: std::ptr::null(),
            reserved: [0; 2],
        };
        let call = self.0 .0;
        taken(unsafe { (*call).emit_event.map_or(abi::INTERNAL, |emit| emit(call, &event)) })
    }
    /// Restarts the hang timer, not the hard cap.
    pub fn heartbeat(&mut self) {
        self.0.heartbeat()
    }
}

/// Where `scan` puts its subjects. For its thread, until it returns.
pub struct Subjects(Call);

impl Subjects {
    /// Copies. false: the answer is full and this subject is not in it; stop and return true for more.
    pub fn emit(&mut self, subject: &str, latest: i64) -> Result<bool, Outcome> {
        let call = self.0 .0;
        let subject = bytes(subject.as_bytes());
        taken(unsafe { (*call).emit_subject.map_or(abi::INTERNAL, |emit| emit(call, subject, latest)) })
    }
    /// Restarts the hang timer, not the hard cap.
    pub fn heartbeat(&mut self) {
        self.0.heartbeat()
    }
}

fn taken(status: abi::Status) -> Result<bool, Outcome> {
    match status {
        abi::OK => Ok(true),
        abi::LIMIT => Ok(false),
        other => Err(Outcome::Status(other)),
    }
}

/// What the host offers besides calls. Any thread; valid as long as the instance.
#[derive(Clone, Copy)]
pub struct Host(*const abi::Host);
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Host {
    /// A line of at most 4 KiB in the log of `cape up`. Rate limited.
    pub fn debug(&self, text: impl AsRef<str>) {
        self.log(0, text.as_ref())
    }
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(1, text.as_ref())
    }
    pub fn warning(&self, text: impl AsRef<str>) {
        self.log(2, text.as_ref())
    }
    pub fn error(&self, text: impl AsRef<str>) {
        self.log(3, text.as_ref())
    }
    /// In `create` alone. Names of A-Z a-z 0-9 _ and dots; a 65th one counts nothing.
    pub fn counter(&self, name: &str) -> Metric {
        self.metric(name, 0)
    }
    pub fn gauge(&self, name: &str) -> Metric {
        self.metric(name, 1)
    }
    pub fn domain(&self) -> &str {
        unsafe { text((*self.0).domain) }
    }
    pub fn topology(&self) -> &str {
        unsafe { text((*self.0).topology) }
    }
    pub fn lambda(&self) -> &str {
        unsafe { text((*self.0).lambda) }
    }
    /// Absolute; empty without `grant = { state = true }`.
    pub fn state_dir(&self) -> &str {
        unsafe { text((*self.0).state_dir) }
    }

    fn log(&self, severity: i32, line: &str) {
        unsafe {
            if let Some(log) = (*self.0).log {
                log(self.0, severity, bytes(line.as_bytes()))
            }
        }
    }
    fn metric(&self, name: &str, kind: i32) -> Metric {
        let id = unsafe { (*self.0).metric.map_or(0, |make| make(self.0, bytes(name.as_bytes()), kind)) };
        Metric { host: *self, id }
    }
}

/// A number of the plugin's own, for `cape status` and every monitor.
#[derive(Clone, Copy)]
pub struct Metric {
    host: Host,
    id: u32,
}

impl Metric {
    pub fn add(&self, value: f64) {
        unsafe {
            if let Some(add) = (*self.host.0).metric_add {
                add(self.host.0, self.id, value)
            }
        }
    }
}

/// The plugin's `config` table of cape.toml.
pub struct Config<'a> {
    host: *const abi::Host,
    json: &'a str,
}

impl<'a> Config<'a> {
    /// The whole table, as JSON.
    pub fn json(&self) -> &'a str {
        self.json
    }
    /// A string, number or boolean by its dotted key, as text.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let mut found = abi::Bytes { ptr: std::ptr::null(), len: 0 };
        unsafe {
            let get = (*self.host).config_get?;
            (get(self.host, bytes(key.as_bytes()), &mut found) == abi::OK).then(|| text(found))
        }
    }
    pub fn require(&self, key: &str) -> Result<&'a str, Refusal> {
        self.get(key).ok_or_else(|| Refusal::BadConfig(format!("config key '{}' is missing: set it in cape.toml", key)))
    }
    /// `fallback` if the key is not there.
    pub fn parse<T: FromStr>(&self, key: &str, fallback: T) -> Result<T, Refusal>
    where
        T::Err: Display,
    {
        match self.get(key) {
            None => Ok(fallback),
            Some(value) => value.parse().map_err(|error| {
                Refusal::BadConfig(format!("config key '{}' = {:?} is wrong: {}", key, value, error))
            }),
        }
    }
}

/// All of it is gone when the call returns: copy what you keep.
pub struct Event<'a>(&'a abi::Event);

impl<'a> Event<'a> {
    pub fn domain(&self) -> &'a str {
        unsafe { text(self.0.domain) }
    }
    pub fn subject(&self) -> &'a str {
        unsafe { text(self.0.subject) }
    }
    /// Rises within a subject, gaps allowed.
    pub fn sequence(&self) -> i64 {
        self.0.sequence
    }
    pub fn kind(&self) -> &'a str {
        unsafe { text(self.0.r#type) }
    }
    pub fn payload(&self) -> &'a [u8] {
        unsafe { slice(self.0.payload) }
    }
    /// As the source says: nanoseconds since 1970, UTC.
    pub fn time_ns(&self) -> i64 {
        self.0.time_ns
    }
    /// Rises with every job: let your store refuse a write whose fence is below the one it has.
    pub fn fence(&self) -> u64 {
        self.0.fence
    }
    /// 0 for the first.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }
    pub fn may_repeat(&self) -> bool {
        self.0.flags & abi::EVENT_MAY_REPEAT != 0
    }
    pub fn is_replay(&self) -> bool {
        self.0.flags & abi::EVENT_REPLAY != 0
    }
    pub fn is_late(&self) -> bool {
        self.0.flags & abi::EVENT_LATE != 0
    }
    /// What that lambda of `needs` gave for this event; None: it is not in `needs`.
    pub fn input(&self, lambda: &str) -> Option<&'a [u8]> {
        (0..self.0.input_count as usize).find_map(|i| unsafe {
            let input = &**self.0.inputs.add(i);
            (slice(input.lambda) == lambda.as_bytes()).then(|| slice(input.output))
        })
    }
}

/// One call of `process` or `flush`. For its thread, until it returns.
pub struct Call(*mut abi::Call);

impl Call {
    /// The event's output, once; copied.
    pub fn emit(&mut self, output: impl AsRef<[u8]>) -> Done {
        let status = unsafe {
            (*self.0).emit.map_or(abi::INTERNAL, |emit| emit(self.0, 0, bytes(output.as_ref())))
        };
        if status == abi::OK { Ok(()) } else { Err(Outcome::Status(status)) }
    }
    /// Restarts the hang timer, not the hard cap.
    pub fn heartbeat(&mut self) {
        unsafe {
            if let Some(beat) = (*self.0).heartbeat {
                beat(self.0)
            }
        }
    }
    /// Must this call end soon? Then return `Err(Outcome::Cancelled)`.
    pub fn cancelled(&self) -> bool {
        unsafe { (*self.0).is_cancelled.map_or(false, |ask| ask(self.0) != 0) }
    }

    fn tell(&mut self, why: &str) {
        unsafe {
            if let Some(set) = (*self.0).set_error {
                if !why.is_empty() {
                    set(self.0, 0, 0, bytes(why.as_bytes()))
                }
            }
        }
    }
}

// ---- the bridge: what `lambda!` and `source!` put into the plugin's tables. Nothing of it unwinds into the host.

fn bytes(from: &[u8]) -> abi::Bytes {
    abi::Bytes { ptr: from.as_ptr(), len: from.len() as u64 }
}

unsafe fn slice<'a>(from: abi::Bytes) -> &'a [u8] {
    if from.len == 0 { &[] } else { std::slice::from_raw_parts(from.ptr, from.len as usize) }
}

// The host promises UTF-8 for names. Should it not be, the call ends as a retry that says so.
unsafe fn text<'a>(from: abi::Bytes) -> &'a str {
    std::str::from_utf8(slice(from)).expect("the host gave a text that is not UTF-8")
}

fn words_of(panic: Box<dyn std::any::Any + Send>) -> String {
    let words = panic
        .downcast_ref::<&str>()
        .map(|text| text.to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    // The payload of a panic may itself panic when it is dropped.
    std::mem::forget(panic);
    format!("panic: {}", words.unwrap_or_else(|| "without words".into()))
}

unsafe fn create_by<T>(
    make: fn(&Host, &Config) -> Result<T, Refusal>, host: *const abi::Host, config: abi::Bytes,
    instance: *mut *mut std::ffi::c_void,
) -> abi::Status {
    let face = Host(host);
    let made = catch_unwind(AssertUnwindSafe(|| make(&face, &Config { host, json: text(config) })));
    let (status, why) = match made {
        Ok(Ok(plugin)) => {
            *instance = Box::into_raw(Box::new(plugin)).cast();
            return abi::OK;
        }
        Ok(Err(Refusal::BadConfig(why))) => (abi::BAD_CONFIG, why),
        Ok(Err(Refusal::NotNow(why))) => (abi::RETRY, why),
        Err(panic) => (abi::RETRY, words_of(panic)),
    };
    face.error(why);
    status
}

unsafe extern "C" fn create<T: Lambda>(
    host: *const abi::Host, config: abi::Bytes, instance: *mut *mut std::ffi::c_void,
) -> abi::Status {
    create_by(T::create, host, config, instance)
}

unsafe extern "C" fn create_source<T: Source>(
    host: *const abi::Host, config: abi::Bytes, instance: *mut *mut std::ffi::c_void,
) -> abi::Status {
    create_by(T::create, host, config, instance)
}

unsafe fn end(done: std::thread::Result<Done>, call: &mut Call) -> abi::Status {
    let outcome = match done {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(outcome)) => outcome,
        Err(panic) => Outcome::Retry(words_of(panic)),
    };
    let (status, why) = outcome.parts();
    call.tell(why);
    status
}

unsafe extern "C" fn process<T: Lambda>(
    instance: *mut std::ffi::c_void, call: *mut abi::Call, event: *const abi::Event,
) -> abi::Status {
    let lambda = &mut *instance.cast::<T>();
    let done = catch_unwind(AssertUnwindSafe(|| lambda.process(&Event(&*event), &mut Call(call))));
    end(done, &mut Call(call))
}

unsafe extern "C" fn flush<T: Lambda>(instance: *mut std::ffi::c_void, call: *mut abi::Call) -> abi::Status {
    let lambda = &mut *instance.cast::<T>();
    let done = catch_unwind(AssertUnwindSafe(|| lambda.flush(&mut Call(call))));
    end(done, &mut Call(call))
}

unsafe extern "C" fn latest<T: Source>(
    instance: *mut std::ffi::c_void, call: *mut abi::Call, subject: abi::Bytes, safe_upper_bound: *mut i64,
) -> abi::Status {
    let source = &mut *instance.cast::<T>();
    let done = catch_unwind(AssertUnwindSafe(|| {
        *safe_upper_bound = source.latest(text(subject))?;
        Ok(())
    }));
    end(done, &mut Call(call))
}

unsafe extern "C" fn query<T: Source>(
    instance: *mut std::ffi::c_void, call: *mut abi::Call, subject: abi::Bytes, start: i64, max_events: u32,
    max_bytes: u64, next_start: *mut i64, latest: *mut i64, more: *mut u32,
) -> abi::Status {
    let source = &mut *instance.cast::<T>();
    let done = catch_unwind(AssertUnwindSafe(|| {
        let asked = Query { subject: text(subject), start, events_max: max_events, bytes_max: max_bytes };
        let answer = source.query(&asked, &mut Events(Call(call)))?;
        *next_start = answer.next_start;
        *latest = answer.latest;
        *more = answer.more as u32;
        Ok(())
    }));
    end(done, &mut Call(call))
}

unsafe extern "C" fn scan<T: Source>(
    instance: *mut std::ffi::c_void, call: *mut abi::Call, token: abi::Bytes, max_subjects: u32, more: *mut u32,
) -> abi::Status {
    let source = &mut *instance.cast::<T>();
    let done = catch_unwind(AssertUnwindSafe(|| {
        *more = source.scan(text(token), max_subjects, &mut Subjects(Call(call)))? as u32;
        Ok(())
    }));
    end(done, &mut Call(call))
}

unsafe extern "C" fn destroy<T>(instance: *mut std::ffi::c_void) {
    // There is nobody left to tell; the panic's own message is in the log by then.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(instance.cast::<T>()))));
}

#[doc(hidden)]
pub const fn table<T: Lambda>() -> abi::Lambda {
    abi::Lambda {
        struct_size: std::mem::size_of::<abi::Lambda>() as u32,
        flags: T::FLAGS,
        create: Some(create::<T>),
        process: Some(process::<T>),
        process_batch: None,
        flush: if T::HAS_FLUSH { Some(flush::<T>) } else { None },
        destroy: Some(destroy::<T>),
        get_extension: None,
    }
}

#[doc(hidden)]
pub const fn source_table<T: Source>() -> abi::Source {
    abi::Source {
        struct_size: std::mem::size_of::<abi::Source>() as u32,
        flags: 0,
        create: Some(create_source::<T>),
        destroy: Some(destroy::<T>),
        latest: Some(latest::<T>),
        query: Some(query::<T>),
        scan: Some(scan::<T>),
        get_extension: None,
    }
}

#[doc(hidden)]
pub unsafe fn factory<T>(id: *const std::os::raw::c_char, own: &str, table: &'static T) -> *const std::ffi::c_void {
    if std::ffi::CStr::from_ptr(id).to_bytes() == own.as_bytes() {
        (table as *const T).cast()
    } else {
        std::ptr::null()
    }
}

const fn padded<const N: usize>(from: &str) -> [u8; N] {
    let from = from.as_bytes();
    assert!(!from.is_empty() && from.len() < N, "the plugin's id has at most 63 bytes, its version at most 31");
    let mut to = [0; N];
    let mut i = 0;
    while i < from.len() {
        to[i] = from[i];
        i += 1;
    }
    to
}

#[doc(hidden)]
pub const fn manifest(id: &str, version: &str, kinds: u32, wants: u32) -> abi::Manifest {
    abi::Manifest {
        namesz: 5,
        descsz: std::mem::size_of::<abi::Note>() as u32,
        kind: abi::NOTE_TYPE,
        name: *b"CAPE\0\0\0\0",
        desc: abi::Note {
            note_size: std::mem::size_of::<abi::Note>() as u32,
            abi_major: abi::ABI_MAJOR,
            abi_minor: abi::ABI_MINOR,
            abi_min_minor: 0,
            reserved0: 0,
            kinds,
            wants,
            reserved1: [0; 3],
            id: padded(id),
            version: padded(version),
        },
    }
}

/// Type, id (what cape.toml means by `plugin`), version, and wishes: `lambda!(T, "id", "1.0.0", WANTS_STATE)`.
/// Once for each library.
#[macro_export]
macro_rules! lambda {
    ($type:ty, $id:expr, $version:expr) => {
        $crate::lambda!($type, $id, $version, 0);
    };
    ($type:ty, $id:expr, $version:expr, $wants:expr) => {
        static CAPE_TABLE: $crate::abi::Lambda = $crate::table::<$type>();
        $crate::entry!($id, $version, $crate::abi::KIND_LAMBDA, $wants, "cape.lambda/1");
    };
}

/// Type, id (what cape.toml means by `source`), version, and wishes: `source!(T, "id", "1.0.0", WANTS_READ)`.
/// Once for each library.
#[macro_export]
macro_rules! source {
    ($type:ty, $id:expr, $version:expr) => {
        $crate::source!($type, $id, $version, 0);
    };
    ($type:ty, $id:expr, $version:expr, $wants:expr) => {
        static CAPE_TABLE: $crate::abi::Source = $crate::source_table::<$type>();
        $crate::entry!($id, $version, $crate::abi::KIND_SOURCE, $wants, "cape.source/1");
    };
}

// The manifest, and the one exported symbol, which gives out CAPE_TABLE.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($id:expr, $version:expr, $kinds:expr, $wants:expr, $factory:expr) => {
        #[used]
        #[link_section = ".note.cape"]
        static CAPE_MANIFEST: $crate::abi::Manifest = $crate::manifest($id, $version, $kinds, $wants);

        unsafe extern "C" fn cape_get_factory(id: *const ::std::os::raw::c_char) -> *const ::std::ffi::c_void {
            $crate::factory(id, $factory, &CAPE_TABLE)
        }

        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static cape_entry_v1: $crate::abi::Entry = $crate::abi::Entry {
            struct_size: ::std::mem::size_of::<$crate::abi::Entry>() as u32,
            abi_major: $crate::abi::ABI_MAJOR,
            abi_minor: $crate::abi::ABI_MINOR,
            init: None,
            deinit: None,
            get_factory: Some(cape_get_factory),
        };
    };
}
