// cape/source.hpp - an event source as a C++17 class.
//
//   #include <cape/source.hpp>
//
//   struct Orders {
//     explicit Orders(const cape::Config& config);
//     std::optional<std::int64_t> latest(std::string_view subject);
//     std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events);
//     bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects);
//     void query_batch(cape::QueryBatch& batch);              // optional: many subjects in one call
//   };
//   CAPE_SOURCE(Orders, "orders", "1.0.0", CAPE_WANTS_READ)
//
// latest       A SAFE upper bound: no event at or below it can still appear. nullopt: no such subject.
// query        Emits the events of query.subject from query.start on, rising, and proves
//              [start, next_start - 1]: there is no other event in it. nullopt: no such subject.
// scan         Emits the subjects above `token` in rising byte order; true: there are more. The token is the
//              last subject seen, empty at the start.
//
// Trouble leaves by exception, best as cape::Failure(cape::Outcome::retry("why")): see cape/outcome.hpp.
// One call per instance at a time.
#ifndef CAPE_SOURCE_HPP
#define CAPE_SOURCE_HPP

#include <cape/detail/adapter.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace cape {
inline namespace plugin_v1 {

struct SourceEvent {
  std::int64_t sequence = 0;  // > 0
  std::int64_t time_ns = 0;   // since 1970, UTC
  std::string_view type, payload;
};

struct Query {
  std::string_view subject;
  std::int64_t start = 1;  // inclusive
  std::uint32_t events_max = 0;
  std::uint64_t bytes_max = 0;  // of payload, about: one event is always allowed
};

// start <= next_start <= max(start, latest + 1). Anything else ends the source with PROTOCOL.
struct QueryAnswer {
  std::int64_t next_start = 1;  // first sequence that the answer says nothing about
  std::int64_t latest = 0;      // taken before the events were read
  bool more = false;            // events remain from next_start on
};

class EventSink : public CallControl {
 public:
  using CallControl::CallControl;

  // Copies. false: the answer is full and this event is not in it; stop and set next_start at or below it.
  [[nodiscard]] bool emit(const SourceEvent& event) const {
    cape_event row{};
    row.struct_size = sizeof(cape_event);
    row.sequence = event.sequence;
    row.time_ns = event.time_ns;
    row.type = bytes_of(event.type);
    row.payload = bytes_of(event.payload);
    const cape_status status = table_->emit_event(table_, &row);
    if (status == CAPE_OK) return true;
    if (status == CAPE_LIMIT) return false;
    throw Failure(Outcome::of(status, "the host refused an event of the answer"));
  }
};

class SubjectSink : public CallControl {
 public:
  using CallControl::CallControl;

  // Copies. false: the answer is full and this subject is not in it; stop and return true for more.
  [[nodiscard]] bool emit(std::string_view subject, std::int64_t latest) const {
    const cape_status status = table_->emit_subject(table_, bytes_of(subject), latest);
    if (status == CAPE_OK) return true;
    if (status == CAPE_LIMIT) return false;
    throw Failure(Outcome::of(status, "the host refused a subject of the answer"));
  }
};

// Many queries in one call. Each is begun, emitted and answered before the next one is begun, in order. An
// exception fails those that have no answer yet, with its reason; one that is forgotten has failed with
// INTERNAL.
class QueryBatch {
 public:
  QueryBatch(cape_call* call, cape_source_query* queries, std::uint32_t size, std::uint32_t events_max,
             std::uint64_t bytes_max)
      : call_(call), queries_(queries), size_(size), events_max_(events_max), bytes_max_(bytes_max) {
    for (std::uint32_t i = 0; i < size_; ++i) queries_[i].status = unset;
  }

  std::uint32_t size() const { return size_; }
  Query query(std::uint32_t i) const {
    return {text_of(queries_[i].subject), queries_[i].start, events_max_, bytes_max_};
  }
  EventSink begin(std::uint32_t i) const {
    const cape_status status = call_->begin_query(call_, i);
    if (status != CAPE_OK)
      throw Failure(Outcome::of(status, "the host refused to begin a query of the batch"));
    return EventSink(call_);
  }
  // nullopt: no such subject.
  void answer(std::uint32_t i, const std::optional<QueryAnswer>& answer) const {
    cape_source_query& query = queries_[i];
    query.status = answer ? CAPE_OK : CAPE_NOT_FOUND;
    query.next_start = answer ? answer->next_start : query.start;
    query.latest = answer ? answer->latest : 0;
    query.more = answer && answer->more ? 1 : 0;
  }
  void fail(std::uint32_t i, const Outcome& outcome) const {
    queries_[i].status = detail::settle(call_, i, outcome);
  }

  // Called by the adapter when query_batch() has returned or thrown: fails what has no answer.
  void close(cape_status status, std::string_view why, std::int32_t app_code) const {
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (queries_[i].status != unset) continue;
      (void)call_->begin_query(call_, i);  // the reason belongs to the query that is begun
      call_->set_error(call_, i, app_code, bytes_of(why));
      queries_[i].status = status;
    }
  }

 private:
  static constexpr cape_status unset = std::numeric_limits<cape_status>::min();

  cape_call* call_;
  cape_source_query* queries_;
  std::uint32_t size_;
  std::uint32_t events_max_;
  std::uint64_t bytes_max_;
};

namespace detail {

template <class T, class = void>
struct HasQueryBatch : std::false_type {};
template <class T>
struct HasQueryBatch<T, std::void_t<decltype(std::declval<T&>().query_batch(std::declval<QueryBatch&>()))>>
    : std::true_type {};

template <class T>
cape_status latest(void* self, cape_call* call, cape_bytes subject, std::int64_t* safe_upper_bound) {
  return guarded_call(call, 0, [&]() -> cape_status {
    const std::optional<std::int64_t> bound = instance_of<T>(self).plugin.latest(text_of(subject));
    if (!bound) return CAPE_NOT_FOUND;
    *safe_upper_bound = *bound;
    return CAPE_OK;
  });
}

template <class T>
cape_status query(void* self, cape_call* call, cape_bytes subject, std::int64_t start,
                  std::uint32_t max_events, std::uint64_t max_bytes, std::int64_t* next_start,
                  std::int64_t* latest_seen, std::uint32_t* more) {
  return guarded_call(call, 0, [&]() -> cape_status {
    EventSink sink(call);
    const Query asked{text_of(subject), start, max_events, max_bytes};
    const std::optional<QueryAnswer> answer = instance_of<T>(self).plugin.query(asked, sink);
    if (!answer) return CAPE_NOT_FOUND;
    *next_start = answer->next_start;
    *latest_seen = answer->latest;
    *more = answer->more ? 1 : 0;
    return CAPE_OK;
  });
}

template <class T>
cape_status scan(void* self, cape_call* call, cape_bytes token, std::uint32_t max_subjects,
                 std::uint32_t* more) {
  return guarded_call(call, 0, [&] {
    SubjectSink sink(call);
    *more = instance_of<T>(self).plugin.scan(text_of(token), max_subjects, sink) ? 1 : 0;
    return CAPE_OK;
  });
}

template <class T>
cape_status query_batch(void* self, cape_call* call, cape_source_query* queries, std::uint32_t size,
                        std::uint32_t max_events, std::uint64_t max_bytes) {
  QueryBatch batch(call, queries, size, max_events, max_bytes);
  const auto fail_rest = [&](cape_status status, std::string_view why, std::int32_t app_code) {
    batch.close(status, why, app_code);
  };
  (void)guarded(
      [&] {
        instance_of<T>(self).plugin.query_batch(batch);
        batch.close(CAPE_INTERNAL, "query_batch() gave this query no answer", 0);
        return CAPE_OK;
      },
      fail_rest);
  return CAPE_OK;
}

template <class T>
const void* source_extension(void*, const char* id) {
  if constexpr (HasQueryBatch<T>::value) {
    static constexpr cape_source_batch table = {sizeof(cape_source_batch), 0, query_batch<T>};
    if (id != nullptr && std::strcmp(id, CAPE_EXT_SOURCE_BATCH) == 0) return &table;
  }
  (void)id;
  return nullptr;
}

template <class T>
constexpr cape_source source_table() {
  cape_source table{};
  table.struct_size = sizeof(cape_source);
  table.create = create<T>;
  table.destroy = destroy<T>;
  table.latest = latest<T>;
  table.query = query<T>;
  table.scan = scan<T>;
  table.get_extension = source_extension<T>;
  return table;
}

}  // namespace detail
}  // namespace plugin_v1
}  // namespace cape

// CAPE_SOURCE(Type, "id", "version") or CAPE_SOURCE(Type, "id", "version", CAPE_WANTS_READ)
#define CAPE_SOURCE(...) CAPE_PICK_(__VA_ARGS__, CAPE_SOURCE_WISHES_, CAPE_SOURCE_PURE_, ~)(__VA_ARGS__)
#define CAPE_SOURCE_PURE_(type, id, version) CAPE_SOURCE_WISHES_(type, id, version, 0)
#define CAPE_SOURCE_WISHES_(type, id, version, wants)                                     \
  CAPE_MANIFEST(id, version, CAPE_KIND_SOURCE, wants);                                    \
  static constexpr cape_source cape_source_table_ = ::cape::detail::source_table<type>(); \
  CAPE_ENTRY_(CAPE_FACTORY_SOURCE, cape_source_table_)

#endif  // CAPE_SOURCE_HPP
