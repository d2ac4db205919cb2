#include "broker/scheduler/subject_table.hpp"

#include <utility>

#include "core/error.hpp"

namespace cape::scheduler {

Subject* SubjectTable::find(SubjectId id) {
  const auto at = slot_of_.find(id);
  return at == slot_of_.end() ? nullptr : &slots_[at->second];
}

const Subject* SubjectTable::find(SubjectId id) const {
  const auto at = slot_of_.find(id);
  return at == slot_of_.end() ? nullptr : &slots_[at->second];
}

Subject& SubjectTable::add(SubjectId id) {
  if (free_.empty()) {
    free_.push_back(static_cast<SubjectSlot>(slots_.size()));
    slots_.emplace_back();
  }
  const SubjectSlot slot = free_.back();
  CAPE_CHECK(slot_of_.emplace(id, slot).second);
  free_.pop_back();
  Subject& subject = slots_[slot];
  subject.id = id;
  subject.slot = slot;
  return subject;
}

void SubjectTable::erase(SubjectSlot slot) {
  Subject& subject = slots_[slot];
  slot_of_.erase(subject.id);
  std::vector<Lane> lanes = std::move(subject.lanes);
  lanes.clear();
  subject = Subject{};
  subject.lanes = std::move(lanes);
  free_.push_back(slot);
}

}  // namespace cape::scheduler
