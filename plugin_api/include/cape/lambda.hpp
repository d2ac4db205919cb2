// cape/lambda.hpp - a lambda as a C++17 class.
//
//   #include <cape/lambda.hpp>
//
//   struct AuditLog {
//     explicit AuditLog(const cape::Config& config);
//     cape::Outcome operator()(const cape::Event& event, cape::Call& call);   // in order per subject
//   };
//   CAPE_LAMBDA(AuditLog, "audit_log", "1.0.0")
//
// What the class may have; the rest is found at compile time:
//   constructor            (const cape::Config&, const cape::Host&), (const cape::Config&) or ()
//   Outcome operator()(const cape::Event&, cape::Call&)   or without the Call; void instead of Outcome is ok()
//   void batch(cape::Batch&)                              up to 64 events of a subject in one call with
//                                                         CAPE_LAMBDA_ORDERED_BATCH, else one; may stand alone
//   Outcome flush(cape::Call&)                            after the last event of a batch, before any of its
//                                                         outcomes is published; void is ok()
//   static constexpr std::uint32_t lambda_flags           CAPE_LAMBDA_* of cape/plugin.h
//
// An event can run again: be idempotent. One call per instance at a time unless CAPE_LAMBDA_PARALLEL is set.
// Exceptions end the call, never the process (cape/outcome.hpp says with which outcome).
// The macro stands once per library, at file scope. Its fourth argument is a wish such as CAPE_WANTS_STATE.
// Build: c++ -std=c++17 -shared -fPIC -fvisibility=hidden audit_log.cpp -o audit_log.so
#ifndef CAPE_LAMBDA_HPP
#define CAPE_LAMBDA_HPP

#include <cape/detail/adapter.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace cape {
inline namespace plugin_v1 {

// One event, borrowed for the call: every view lies in read-only memory and is gone when the call returns.
class Event {
 public:
  explicit Event(const cape_event* event) : event_(event) {}

  std::string_view domain() const { return text_of(event_->domain); }
  std::string_view subject() const { return text_of(event_->subject); }
  std::int64_t sequence() const { return event_->sequence; }  // > 0, strictly rising within a subject
  std::int64_t time_ns() const { return event_->time_ns; }    // as the source says; since 1970, UTC
  std::string_view type() const { return text_of(event_->type); }
  std::string_view payload() const { return text_of(event_->payload); }
  // Rises with every job; store it beside your effect to refuse an older one.
  std::uint64_t fence() const { return event_->fence; }
  std::uint32_t attempt() const { return event_->attempt; }  // 0 for the first
  bool may_repeat() const {
    return has(CAPE_EVENT_MAY_REPEAT);
  }  // an attempt may have run, wholly or in part
  bool is_replay() const { return has(CAPE_EVENT_REPLAY); }
  bool is_late() const { return has(CAPE_EVENT_LATE); }

  // What a lambda that this one `needs` gave for this event; empty: nothing. nullopt: `needs` does not name
  // it.
  std::optional<std::string_view> input(std::string_view lambda) const {
    for (std::uint32_t i = 0; i < event_->input_count; ++i) {
      if (text_of(event_->inputs[i]->lambda) == lambda) return text_of(event_->inputs[i]->output);
    }
    return std::nullopt;
  }
  const cape_event* table() const { return event_; }

 private:
  bool has(std::uint32_t flag) const { return (event_->flags & flag) != 0; }

  const cape_event* event_;
};

// The call an event runs in.
class Call : public CallControl {
 public:
  Call(cape_call* table, const Host& host, std::uint32_t index)
      : CallControl(table), host_(&host), index_(index) {}

  // The event's output for the lambdas that need it: at most one, copied. Throws Failure when the host
  // refuses it (LIMIT: over the cap, BAD_INPUT: a second one), and the event gets that outcome and its cause.
  void emit(std::string_view output) const {
    accept(table_->emit(table_, index_, bytes_of(output)), output.size(), second_output);
  }
  // Room for an output that is written in place: `bytes` long until the next reserve, commit or return. A
  // write past it is LIMIT at the commit, or ends the child: a page that nobody may touch lies behind it.
  std::uint8_t* reserve(std::uint64_t bytes) const {
    std::uint8_t* room = nullptr;
    accept(table_->reserve(table_, index_, bytes, &room), bytes, second_output);
    return room;
  }
  void commit(std::uint64_t used) const {
    const cape_status status = table_->commit(table_, used);
    if (status == CAPE_LIMIT)
      throw Failure(
          Outcome::of(status, "it wrote past the room it had reserved: reserve as much as is written"));
    accept(status, used,
           "commit() of an output needs a reserve() before it of at least as many bytes, once an event");
  }

  void log(std::int32_t severity, std::string_view message) const { host_->log(severity, message); }
  std::string_view state_dir() const { return host_->state_dir(); }
  const Host& host() const { return *host_; }

 private:
  static constexpr const char* second_output =
      "a second output of one event: an event has at most one, so emit everything at once";

  static void accept(cape_status status, std::uint64_t bytes, const char* bad_input) {
    if (status != CAPE_OK) throw Failure(Outcome::of(status, refusal(status, bytes, bad_input)));
  }
  static std::string refusal(cape_status status, std::uint64_t bytes, const char* bad_input) {
    const std::string size = std::to_string(bytes);
    switch (status) {
      case CAPE_BAD_INPUT:
        return bad_input;
      case CAPE_LIMIT:
        return "the event's output of " + size + " bytes is over limits.output: emit less, or raise it";
      case CAPE_NO_MEMORY:
        return "no memory for the event's output of " + size + " bytes: raise limits.memory";
      case CAPE_UNSUPPORTED:
        return "this call takes no output: emit it in operator() or batch()";
      default:
        return "the host refused the event's output of " + size + " bytes";
    }
  }

  const Host* host_;
  std::uint32_t index_;
};

// The events of one call of batch(): events of one subject are adjacent and rising. Give each one an outcome,
// in order; after the first of a subject that is not done leave the later ones of that subject untouched.
class Batch {
 public:
  Batch(cape_call* call, const Host& host, const cape_event* const* events, std::uint32_t size,
        cape_status* out)
      : call_(call), host_(&host), events_(events), size_(size), out_(out) {
    for (std::uint32_t i = 0; i < size_; ++i) out_[i] = unset;
  }

  std::uint32_t size() const { return size_; }
  Event event(std::uint32_t i) const { return Event(events_[i]); }
  Call call(std::uint32_t i) const { return Call(call_, *host_, i); }
  void set(std::uint32_t i, const Outcome& outcome) const { out_[i] = detail::settle(call_, i, outcome); }

  // Called by the adapter when batch() has returned.
  void close() const {
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (out_[i] != unset) continue;
      set(i,
          waits(i) ? Outcome::cancelled() : Outcome::of(CAPE_INTERNAL, "batch() gave this event no outcome"));
    }
  }

 private:
  static constexpr cape_status unset = std::numeric_limits<cape_status>::min();

  // The event before is of the same subject and is not done. Outcomes before `i` are all set by then.
  bool waits(std::uint32_t i) const {
    if (i == 0 || event(i - 1).subject() != event(i).subject()) return false;
    return out_[i - 1] != CAPE_OK && out_[i - 1] != CAPE_SKIPPED;
  }

  cape_call* call_;
  const Host* host_;
  const cape_event* const* events_;
  std::uint32_t size_;
  cape_status* out_;
};

namespace detail {

template <class T, class = void>
struct HasBatch : std::false_type {};
template <class T>
struct HasBatch<T, std::void_t<decltype(std::declval<T&>().batch(std::declval<Batch&>()))>> : std::true_type {
};

template <class T, class = void>
struct HasFlush : std::false_type {};
template <class T>
struct HasFlush<T, std::void_t<decltype(std::declval<T&>().flush(std::declval<Call&>()))>> : std::true_type {
};

template <class T, class = void>
struct FlagsOf : std::integral_constant<std::uint32_t, 0> {};
template <class T>
struct FlagsOf<T, std::void_t<decltype(T::lambda_flags)>>
    : std::integral_constant<std::uint32_t, T::lambda_flags> {};

// An Outcome, or ok() for a function that returns nothing.
template <class Body>
Outcome outcome_of(Body&& body) {
  if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
    body();
    return Outcome::ok();
  } else {
    return body();
  }
}

template <class T>
Outcome run(T& lambda, const Event& event, Call& call) {
  if constexpr (std::is_invocable_v<T&, const Event&, Call&>) {
    return outcome_of([&] { return lambda(event, call); });
  } else {
    static_assert(std::is_invocable_v<T&, const Event&>,
                  "a lambda has operator()(const cape::Event&, cape::Call&), or batch(cape::Batch&)");
    return outcome_of([&] { return lambda(event); });
  }
}

template <class T>
cape_status process_batch(void* self, cape_call* call, const cape_event* const* events, std::uint32_t size,
                          cape_status* out) {
  return guarded_call(call, 0, [&] {
    Batch batch(call, instance_of<T>(self).host, events, size, out);
    instance_of<T>(self).plugin.batch(batch);
    batch.close();
    return CAPE_OK;
  });
}

// A lambda that has batch() alone runs a single event as a batch of one.
template <class T>
constexpr bool runs_single = std::is_invocable_v<T&, const Event&, Call&> ||
                             std::is_invocable_v<T&, const Event&> || !HasBatch<T>::value;

template <class T>
cape_status process(void* self, cape_call* call, const cape_event* event) {
  if constexpr (runs_single<T>) {
    return guarded_call(call, 0, [&] {
      Call one(call, instance_of<T>(self).host, 0);
      return settle(call, 0, run(instance_of<T>(self).plugin, Event(event), one));
    });
  } else {
    cape_status outcome = CAPE_INTERNAL;
    const cape_status called = process_batch<T>(self, call, &event, 1, &outcome);
    return called == CAPE_OK ? outcome : called;
  }
}

template <class T>
cape_status flush(void* self, cape_call* call) {
  return guarded_call(call, 0, [&] {
    Call whole(call, instance_of<T>(self).host, 0);
    return settle(call, 0, outcome_of([&] { return instance_of<T>(self).plugin.flush(whole); }));
  });
}

template <class T>
constexpr cape_lambda lambda_table() {
  cape_lambda table{};
  table.struct_size = sizeof(cape_lambda);
  table.flags = FlagsOf<T>::value;
  table.create = create<T>;
  table.process = process<T>;
  if constexpr (HasBatch<T>::value) table.process_batch = process_batch<T>;
  if constexpr (HasFlush<T>::value) table.flush = flush<T>;
  table.destroy = destroy<T>;
  return table;
}

}  // namespace detail
}  // namespace plugin_v1
}  // namespace cape

// CAPE_LAMBDA(Type, "id", "version") or CAPE_LAMBDA(Type, "id", "version", CAPE_WANTS_STATE)
#define CAPE_LAMBDA(...) CAPE_PICK_(__VA_ARGS__, CAPE_LAMBDA_WISHES_, CAPE_LAMBDA_PURE_, ~)(__VA_ARGS__)
#define CAPE_LAMBDA_PURE_(type, id, version) CAPE_LAMBDA_WISHES_(type, id, version, 0)
#define CAPE_LAMBDA_WISHES_(type, id, version, wants)                                     \
  CAPE_MANIFEST(id, version, CAPE_KIND_LAMBDA, wants);                                    \
  static constexpr cape_lambda cape_lambda_table_ = ::cape::detail::lambda_table<type>(); \
  CAPE_ENTRY_(CAPE_FACTORY_LAMBDA, cape_lambda_table_)

#endif  // CAPE_LAMBDA_HPP
