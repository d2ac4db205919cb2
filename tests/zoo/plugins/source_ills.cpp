// A source with the subjects s00 to s59, each with one event. Asked for those of s07 it does what config
// `does` says: "beats" for ever, or "hangs"; with "fails" it tells of a second one that it can never give. With
// "leaks" it keeps a MiB for each query. Built as 2.0.0 it is well.
#include <array>
#include <cape/source.hpp>
#include <cstdio>
#include <string>
#include <vector>

namespace {

#ifndef GUEST_VERSION
#define GUEST_VERSION "1.0.0"
constexpr bool is_well = false;
#else
constexpr bool is_well = true;
#endif
constexpr int subjects = 60;

class Guest {
 public:
  explicit Guest(const cape::Config& config) : does_(is_well ? "nothing" : config.get("does", "nothing")) {}

  std::optional<std::int64_t> latest(std::string_view subject) { return has_more(subject) ? 2 : 1; }

  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    const bool is_ill = query.subject == "s07";
    while (is_ill && does_ == "beats") events.heartbeat();
    while (is_ill && does_ == "hangs") unused_ = unused_ + 1;
    if (does_ == "leaks") leaked_.emplace_back(1u << 20, 'x');
    const std::int64_t last = *latest(query.subject);
    if (query.start == 2 && last == 2) throw cape::Failure(cape::Outcome::failed("it is not to be had"));
    if (query.start > 1) return cape::QueryAnswer{query.start, last, false};
    if (!events.emit({1, 1'000, "tick", "payload"})) return cape::QueryAnswer{1, last, true};
    return cape::QueryAnswer{2, last, last == 2};
  }

  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& sink) {
    std::uint32_t emitted = 0;
    for (int i = 0; i < subjects; ++i) {
      std::array<char, 8> name;
      std::snprintf(name.data(), name.size(), "s%02d", i);
      if (name.data() <= token) continue;
      if (emitted++ == subjects_max || !sink.emit(name.data(), 1)) return true;
    }
    return false;
  }

 private:
  bool has_more(std::string_view subject) const { return does_ == "fails" && subject == "s07"; }

  std::string does_;
  volatile int unused_ = 0;
  std::vector<std::string> leaked_;
};

}  // namespace

CAPE_SOURCE(Guest, "source_ills", GUEST_VERSION)
