// tests/sim/source.hpp
// Source is the source of truth of a simulation: events of subjects 1..N, some of which become visible late,
// below others that can be seen already. It tells the truth about what can be seen; who asks may lie on.
#pragma once

#include <cstddef>
#include <vector>

#include "core/event.hpp"
#include "core/types.hpp"

namespace cape::scheduler {

struct SourceEvent {
  Sequence sequence = 0;
  bool visible = true;
  bool late = false;        // turned up below others
  bool missed = false;      // an answer went over it before it could be seen: nobody has to run it
  bool unreadable = false;  // fits no answer

  bool must_run() const { return visible && !missed; }
};

struct SourceAnswer {
  Sequence latest = 0;
  EventBlockPtr block;
  bool unreadable = false;  // `latest` is the event that cannot be given
};

class Source {
 public:
  explicit Source(SubjectId subjects) : of_(subjects + 1) {}

  SubjectId subjects() const { return of_.size() - 1; }
  const std::vector<SourceEvent>& events(SubjectId subject) const { return of_[subject]; }
  // Its place among those of the subject; of a sequence that is none, the place behind it.
  std::size_t place_of(SubjectId subject, Sequence sequence) const;
  Sequence latest(SubjectId subject) const;  // that can be seen; 0: none

  // Adds an event `gap` above the last one and gives its place. A late one cannot be seen yet.
  std::size_t add(SubjectId subject, Sequence gap, bool late, bool unreadable);
  void show(SubjectId subject, std::size_t place) { of_[subject][place].visible = true; }
  // The first `most` events from `start` on, as if nothing lay above `latest`. If there are no more, the
  // answer says so up to `beyond` above `latest`, which proves nothing for there.
  SourceAnswer read(SubjectId subject, Sequence start, std::size_t most, Sequence latest, Sequence beyond);

 private:
  std::vector<std::vector<SourceEvent>> of_;
};

}  // namespace cape::scheduler
