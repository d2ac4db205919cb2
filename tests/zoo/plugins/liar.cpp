// A source with the subjects a, b and c, each with the events 1..10. It answers truthfully but for one lie:
//
//   config = { lie = "order" }        sequences fall (the default)
//   config = { lie = "below_start" }  an event below the start that was asked for
//   config = { lie = "too_many" }     more events than were asked for
//   config = { lie = "next_back" }    next_start below start
//   config = { lie = "next_beyond" }  next_start beyond latest + 1
//   config = { lie = "endless" }      more events remain, and no progress
//   config = { lie = "scan_order" }   subjects fall
//   config = { lie = "none" }
#include <algorithm>
#include <array>
#include <cape/source.hpp>
#include <string>

namespace {

constexpr std::int64_t latest_sequence = 10;
constexpr std::array<std::string_view, 3> names = {"a", "b", "c"};

class Guest {
 public:
#ifdef GUEST_LIE  // whatever the config says
  explicit Guest(const cape::Config&) : lie_(GUEST_LIE) {}
#else
  explicit Guest(const cape::Config& config) : lie_(config.get("lie", "order")) {}
#endif

  std::optional<std::int64_t> latest(std::string_view subject) {
    if (std::find(names.begin(), names.end(), subject) == names.end()) return std::nullopt;
    return latest_sequence;
  }

  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    if (!latest(query.subject)) return std::nullopt;
    if (lie_ == "endless") return cape::QueryAnswer{query.start, latest_sequence, true};
    if (lie_ == "below_start") (void)emit(events, query.start - 1);
    if (lie_ == "order") (void)emit(events, latest_sequence);
    const std::int64_t next = emit_run(query, events);
    if (lie_ == "next_back") return cape::QueryAnswer{query.start - 1, latest_sequence, false};
    if (lie_ == "next_beyond") return cape::QueryAnswer{latest_sequence + 100, latest_sequence, false};
    return cape::QueryAnswer{next, latest_sequence, next <= latest_sequence};
  }

  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
    if (lie_ == "scan_order") (void)subjects.emit("z", latest_sequence);
    std::uint32_t emitted = 0;
    for (const std::string_view name : names) {
      if (name <= token) continue;
      if (emitted++ == subjects_max || !subjects.emit(name, latest_sequence)) return true;
    }
    return false;
  }

 private:
  static bool emit(cape::EventSink& events, std::int64_t sequence) {
    return events.emit({sequence, sequence * 1'000, "tick", "payload"});
  }

  // Emits events from query.start on and returns the first sequence that was not looked at.
  std::int64_t emit_run(const cape::Query& query, cape::EventSink& events) const {
    const std::int64_t room = lie_ == "too_many" ? latest_sequence : query.events_max;
    std::int64_t next = std::max<std::int64_t>(query.start, 1);
    for (std::int64_t emitted = 0; emitted < room && next <= latest_sequence; ++emitted, ++next) {
      if (!emit(events, next)) break;
    }
    return std::max(next, query.start);
  }

  std::string lie_;
};

}  // namespace

#ifndef GUEST_VERSION
#define GUEST_VERSION "1.0.0"
#endif
CAPE_SOURCE(Guest, "liar", GUEST_VERSION)
