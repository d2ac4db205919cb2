// A source of one subject, with the optional batch.
#include <cape/source.hpp>
#include <stdexcept>
#include <string>

namespace {

struct SmallSource {
  explicit SmallSource(const cape::Config& config) : name(config.get("name", "a")) {}

  std::optional<std::int64_t> latest(std::string_view subject) {
    if (subject != name) return std::nullopt;
    return 1;
  }
  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    if (query.subject != name) return std::nullopt;
    if (query.start > 1) return cape::QueryAnswer{query.start, 1, false};
    if (!events.emit({1, 0, "tick", "payload"})) return cape::QueryAnswer{1, 1, true};
    return cape::QueryAnswer{2, 1, false};
  }
  bool scan(std::string_view token, std::uint32_t, cape::SubjectSink& subjects) {
    return token < name && !subjects.emit(name, 1);
  }
  void query_batch(cape::QueryBatch& batch) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (batch.query(i).subject == "bad") {
        batch.fail(i, cape::Outcome::retry("bad subject"));
        continue;
      }
      if (batch.query(i).subject == "forgotten") continue;
      if (batch.query(i).subject == "thrown") throw std::runtime_error("the database is gone");
      cape::EventSink events = batch.begin(i);
      batch.answer(i, query(batch.query(i), events));
    }
  }

  std::string name;
};

}  // namespace

CAPE_SOURCE(SmallSource, "small_source", "1.0.0")
