// The checks that ask an event source. The host's own checks of every answer (rising, in bounds, of the
// subject asked) end the child with PROTOCOL; here is what a single answer cannot show.
#include <map>

#include <fmt/format.h>

#include "core/types.hpp"
#include "host/check/check.hpp"
#include "host/check/specs.hpp"

namespace cape::check {
namespace {

constexpr std::size_t subjects_max = 1000;  // of a source that are looked at
constexpr std::size_t pages_max = 2000;
constexpr std::uint32_t events_per_page = 1000;

// One check's source. Whatever ended it early is the finding.
class Asked {
 public:
  explicit Asked(const Bench& bench) {
    auto started = SourceTrial::start(source_of(bench, state_.path()), check_ms_max);
    if (started)
      source_ = std::move(*started);
    else
      unable_ = {Verdict::skipped, started.error().message};
  }
  bool able() const { return source_ != nullptr; }
  SourceTrial& operator*() { return *source_; }
  SourceTrial* operator->() { return source_.get(); }

  // What ended it before it had answered.
  Finding broken() {
    if (!source_) return unable_;
    const bool timed_out = source_->timed_out();
    const child::ChildEnded end = source_->end();
    if (refused_config(end))
      return {Verdict::skipped,
              fmt::format("create refuses the settings; give --settings: {}", end.end.reason), true};
    Finding bad = judge_end(end, timed_out || source_->timed_out());
    return bad.verdict == Verdict::pass ? Finding{Verdict::fail, "it took no question"} : bad;
  }

 private:
  StateDir state_;
  std::unique_ptr<SourceTrial> source_;
  Finding unable_;
};

using Subjects = std::map<std::string, Sequence>;

// The subjects of the source, read `page` at a time.
std::optional<Subjects> scan_all(SourceTrial& source, std::uint32_t page, Finding& bad) {
  Subjects subjects;
  std::string token;
  for (std::size_t pages = 0; pages < pages_max && subjects.size() < subjects_max; ++pages) {
    const auto answer = source.scan(token, page);
    if (!answer) return std::nullopt;
    if (answer->status != OutcomeKind::ok) {
      bad = {Verdict::fail, fmt::format("scan: {}: {}", name_of(answer->status), answer->reason)};
      return std::nullopt;
    }
    for (const child::ScannedSubject& subject : answer->subjects) subjects[subject.subject] = subject.latest;
    if (!answer->more) break;
    token = answer->token;
  }
  return subjects;
}

Finding ended(Asked& source, const Finding& bad) {
  return bad.verdict == Verdict::pass ? source.broken() : bad;
}

Finding left(Asked& source) {
  const child::ChildEnded end = source->end();
  return judge_end(end, source->timed_out());
}

// Runs `ask` with the first subject that has an event.
template <class Ask>
Finding with_subject(const Bench& bench, Ask ask) {
  Asked source(bench);
  if (!source.able()) return source.broken();
  Finding bad;
  const auto subjects = scan_all(*source, events_per_page, bad);
  if (!subjects) return ended(source, bad);
  for (const auto& [subject, latest] : *subjects)
    if (latest > 0) return ask(source, subject, latest);
  return {Verdict::skipped, "the source has no subject to ask about; give it data by --settings and --grant",
          true};
}

Finding check_unknown(const Bench& bench) {
  Asked source(bench);
  if (!source.able()) return source.broken();
  const auto answer = source->query("cape.check/no such subject", 1, 10);
  if (!answer) return source.broken();
  if (answer->status == OutcomeKind::not_found) return {};
  return {Verdict::fail, fmt::format("a subject that it cannot know got {} {}, not NOT_FOUND",
                                     name_of(answer->status), answer->reason)};
}

// Every event of one subject, a page at a time; nullopt: no answer.
std::optional<std::string> page_through(SourceTrial& source, const std::string& subject, Sequence latest,
                                        std::uint32_t page) {
  std::string text;
  Sequence start = 1;
  for (std::size_t pages = 0; pages < pages_max && start <= latest; ++pages) {
    const auto answer = source.query(subject, start, page);
    if (!answer) return std::nullopt;
    if (answer->status != OutcomeKind::ok) return text + name_of(answer->status);
    for (const EventBlock::Entry& event : answer->block->entries)
      text += fmt::format("{}:{}\n", event.sequence, answer->block->payload_of(event));
    start = answer->block->proven_to + 1;
  }
  return text;
}

Finding check_query(const Bench& bench) {
  return with_subject(bench, [](Asked& source, const std::string& subject, Sequence latest) -> Finding {
    for (const Sequence start : {Sequence{1}, latest, latest / 2 + 1}) {
      const auto answer = source->query(subject, start, 3);
      if (!answer) return source.broken();
      if (answer->status != OutcomeKind::ok)
        return {Verdict::fail, fmt::format("query of '{}' from {}: {}: {}", printable(subject, 80), start,
                                           name_of(answer->status), answer->reason)};
    }
    return left(source);
  });
}

Finding check_paging(const Bench& bench) {
  return with_subject(bench, [](Asked& source, const std::string& subject, Sequence latest) -> Finding {
    const Sequence upto = std::min<Sequence>(latest, 500);
    const auto whole = page_through(*source, subject, upto, events_per_page);
    if (!whole) return source.broken();
    for (const std::uint32_t page : {1u, 2u, 7u}) {
      const auto parts = page_through(*source, subject, upto, page);
      if (!parts) return source.broken();
      // The last page may reach beyond `upto`: one is then the other's beginning.
      if (!whole->starts_with(*parts) && !parts->starts_with(*whole))
        return {Verdict::fail, fmt::format("'{}' read {} events at a time is not what it is at once",
                                           printable(subject, 80), page)};
    }
    return left(source);
  });
}

Finding check_progress(const Bench& bench) {
  constexpr std::uint32_t page = 5;
  return with_subject(bench, [](Asked& source, const std::string& subject, Sequence latest) -> Finding {
    Sequence start = 1;
    for (std::size_t pages = 0; pages < pages_max && start <= latest; ++pages) {
      const auto answer = source->query(subject, start, page);
      if (!answer) return source.broken();
      if (answer->status != OutcomeKind::ok)
        return {Verdict::fail, fmt::format("query of '{}' from {}: {}: {}", printable(subject, 80), start,
                                           name_of(answer->status), answer->reason)};
      if (!answer->more) return left(source);
      if (answer->block->proven_to < start)
        return {Verdict::fail, fmt::format("it says that events of '{}' remain, and stays at {}",
                                           printable(subject, 80), start)};
      start = answer->block->proven_to + 1;
    }
    return left(source);
  });
}

Finding check_beyond(const Bench& bench) {
  return with_subject(bench, [](Asked& source, const std::string& subject, Sequence latest) -> Finding {
    for (const Sequence start : {latest + 1, latest + 1000, std::numeric_limits<Sequence>::max()}) {
      const auto answer = source->query(subject, start, 10);
      if (!answer) return source.broken();
      if (answer->status != OutcomeKind::ok)
        return {Verdict::fail,
                fmt::format("query of '{}' from {}, beyond its latest {}: {}: {}", printable(subject, 80),
                            start, latest, name_of(answer->status), answer->reason)};
      const bool grew = answer->latest > latest;
      if (!grew && (answer->more || (answer->block && !answer->block->entries.empty())))
        return {Verdict::fail,
                fmt::format("beyond latest {} of '{}' there are events", latest, printable(subject, 80))};
    }
    return left(source);
  });
}

Finding check_latest(const Bench& bench) {
  return with_subject(bench, [](Asked& source, const std::string& subject, Sequence latest) -> Finding {
    for (int i = 0; i < 5; ++i) {
      const auto answer = source->query(subject, latest, 1);
      if (!answer) return source.broken();
      if (answer->status != OutcomeKind::ok) continue;
      if (answer->latest < latest)
        return {Verdict::fail, fmt::format("latest of '{}' fell from {} to {}", printable(subject, 80),
                                           latest, answer->latest)};
      latest = answer->latest;
    }
    return left(source);
  });
}

Finding check_scan(const Bench& bench) {
  Asked source(bench);
  if (!source.able()) return source.broken();
  Finding bad;
  const auto whole = scan_all(*source, events_per_page, bad);
  if (!whole) return ended(source, bad);
  const auto parts = scan_all(*source, 3, bad);
  if (!parts) return ended(source, bad);
  for (const auto& [subject, latest] : *whole)
    if (!parts->contains(subject) && subject <= (parts->empty() ? subject : parts->rbegin()->first))
      return {Verdict::fail, fmt::format("a scan three at a time misses '{}'", printable(subject, 80))};
  return left(source);
}

constexpr Check of_sources[] = {
    {"E1", "a subject that it does not know is NOT_FOUND", check_unknown},
    {"E2", "queries give rising events of the subject asked, within bounds", check_query},
    {"E3", "pages give what one answer gives", check_paging},
    {"E4", "a query that leaves events moves on", check_progress},
    {"E5", "beyond the latest event there is none", check_beyond},
    {"E6", "latest never falls", check_latest},
    {"E7", "a scan in pages misses nobody", check_scan},
};

}  // namespace

std::span<const Check> source_checks() {
  return of_sources;
}

}  // namespace cape::check
