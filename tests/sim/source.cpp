#include "tests/sim/source.hpp"

#include <algorithm>
#include <memory>
#include <string>

namespace cape::scheduler {

std::size_t Source::place_of(SubjectId subject, Sequence sequence) const {
  const std::vector<SourceEvent>& events = of_[subject];
  return static_cast<std::size_t>(std::ranges::lower_bound(events, sequence, {}, &SourceEvent::sequence) -
                                  events.begin());
}

Sequence Source::latest(SubjectId subject) const {
  const std::vector<SourceEvent>& events = of_[subject];
  for (std::size_t i = events.size(); i-- > 0;)
    if (events[i].visible) return events[i].sequence;
  return 0;
}

std::size_t Source::add(SubjectId subject, Sequence gap, bool late, bool unreadable) {
  std::vector<SourceEvent>& events = of_[subject];
  const Sequence last = events.empty() ? 0 : events.back().sequence;
  events.push_back({.sequence = last + gap, .visible = !late, .late = late, .unreadable = unreadable});
  return events.size() - 1;
}

SourceAnswer Source::read(SubjectId subject, Sequence start, std::size_t most, Sequence latest,
                          Sequence beyond) {
  std::vector<SourceEvent>& events = of_[subject];
  SourceAnswer answer{.latest = latest};
  static const std::string payload(40, 'x');
  auto given = std::make_shared<EventBlock>();
  given->proven_from = start;
  Sequence proven_to = std::max(latest + beyond, start - 1);
  for (std::size_t i = place_of(subject, start); i < events.size() && events[i].sequence <= latest; ++i) {
    if (!events[i].visible) continue;
    if (given->entries.size() == most) {
      proven_to = given->entries.back().sequence;
      break;
    }
    if (events[i].unreadable) {
      proven_to = events[i].sequence - 1;
      answer.unreadable = true;
      answer.latest = events[i].sequence;
      break;
    }
    given->add(events[i].sequence, 0, "t", payload);
  }
  // What is proven to be empty is empty for good, whatever turns up there later.
  const Sequence empty_to = std::min(proven_to, latest);
  for (std::size_t i = place_of(subject, start); i < events.size() && events[i].sequence <= empty_to; ++i)
    if (!events[i].visible) events[i].missed = true;
  given->proven_to = proven_to;
  answer.block = std::move(given);
  return answer;
}

}  // namespace cape::scheduler
