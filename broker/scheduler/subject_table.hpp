// broker/scheduler/subject_table.hpp
// SubjectTable owns the subjects in memory. Addresses stay valid until erase(); slots and their buffers are
// used again, so that a subject that comes and goes costs no allocation of its lanes.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>
#include <vector>

#include "broker/scheduler/subject.hpp"

namespace cape::scheduler {

class SubjectTable {
 public:
  Subject* find(SubjectId id);
  const Subject* find(SubjectId id) const;
  Subject& at(SubjectSlot slot) { return slots_[slot]; }
  // Requires: `id` is not in the table.
  Subject& add(SubjectId id);
  void erase(SubjectSlot slot);
  std::size_t size() const { return slot_of_.size(); }
  // Of every subject, by slot.
  template <class Visit>
  void for_each(Visit visit) {
    for (Subject& subject : slots_)
      if (subject.slot != no_slot) visit(subject);
  }

 private:
  std::deque<Subject> slots_;
  std::vector<SubjectSlot> free_;
  std::unordered_map<SubjectId, SubjectSlot> slot_of_;  // for look-ups alone: never iterated
};

}  // namespace cape::scheduler
