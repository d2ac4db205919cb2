// A source with the subjects a, b and c, each with one event. It crashes when the events of config `subject`
// (default b) are asked for.
#include <array>
#include <cape/source.hpp>
#include <string>

namespace {

#ifdef GUEST_CRASHES_ALWAYS
constexpr bool crashes_always = true;
#else
constexpr bool crashes_always = false;
#endif
constexpr std::array<std::string_view, 3> names = {"a", "b", "c"};

class Guest {
 public:
  explicit Guest(const cape::Config& config) : subject_(config.get("subject", "b")) {}

  std::optional<std::int64_t> latest(std::string_view) { return 1; }

  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    if (crashes_always || query.subject == subject_) {
      int* volatile nowhere = nullptr;
      *nowhere = 1;
    }
    if (query.start > 1) return cape::QueryAnswer{query.start, 1, false};
    if (!events.emit({1, 1'000, "tick", "payload"})) return cape::QueryAnswer{1, 1, true};
    return cape::QueryAnswer{2, 1, false};
  }

  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
    std::uint32_t emitted = 0;
    for (const std::string_view name : names) {
      if (name <= token) continue;
      if (emitted++ == subjects_max || !subjects.emit(name, 1)) return true;
    }
    return false;
  }

 private:
  std::string subject_;
};

}  // namespace

#ifndef GUEST_ID
#define GUEST_ID "source_crash"
#define GUEST_VERSION "1.0.0"
#endif
CAPE_SOURCE(Guest, GUEST_ID, GUEST_VERSION)
