// Mode latest: of what waits for a lane the newest event runs, once; what lies before it is passed over.
#include <algorithm>
#include <utility>

#include "broker/scheduler/state.hpp"

namespace cape::scheduler {
namespace {

// Reads in a row that may miss the end before an older event has to do.
constexpr std::uint8_t misses_free = 2;

}  // namespace

// Where the next read begins: before the highest sequence that may run. Where no event is, further back each
// time.
Sequence Scheduler::State::aim(const Subject& s, const Lane& lane, const Stretch& stretch) const {
  const Sequence target = std::min(s.latest, end_of(s, lane, stretch));
  if (target <= stretch.cursor) return stretch.cursor;
  const unsigned doublings = std::min<unsigned>(2u * stretch.looks_back, 62);
  const Sequence back = stretch.looks_back == 0 ? 0 : Sequence{1} << doublings;
  return target - 1 - back > stretch.cursor ? target - 1 - back : stretch.cursor;
}

void Scheduler::State::serve_latest(Subject& s, Lane& lane, const SchedulingRequest& request,
                                    Sequence proven_to, Sequence most) {
  Stretch& stretch = lane.open;
  const EventBlock& block = *request.block;
  const Sequence wanted = std::min(s.latest, most);
  const Sequence end = std::min(proven_to, wanted);
  const bool reaches = end >= wanted || stretch.unserved >= misses_free;
  if (stretch.job != 0 || end < block.proven_from || end <= stretch.cursor || !reaches) {
    if (request.asked_for(aim(s, lane, stretch) + 1) && stretch.job == 0) note_unserved(s, lane, stretch);
    return;
  }
  const std::size_t behind = block.first_after(end);
  const bool has_event = behind > 0 && block.entries[behind - 1].sequence > stretch.cursor;
  if (!has_event && block.proven_from > stretch.cursor + 1) {  // there may be one further back
    if (stretch.looks_back < UINT8_MAX) ++stretch.looks_back;
    return;
  }
  stretch.unserved = 0;
  stretch.looks_back = 0;
  clear_timer(lane, stretch);
  if (!has_event) return advance(s, lane, stretch, end);
  const Sequence newest = block.entries[behind - 1].sequence;
  take_block(s, lane, stretch, request, newest, end);
}

// The job is done; what lies between the cursor and its event never runs. Requires: the cursor stands where
// it stood when the job was issued.
void Scheduler::State::note_passed_by(Lane& lane, const Stretch& stretch, const EventRange& ran) {
  const EventBlock& block = *ran.block;
  const bool nothing_between =
      block.proven_from <= stretch.cursor + 1 && block.first_after(stretch.cursor) == ran.first;
  if (!nothing_between) note_passed(lane, stretch.cursor + 1, ran.first_sequence() - 1);
}

void Scheduler::State::note_passed(Lane& lane, Sequence first, Sequence last) {
  if (first > last) return;
  auto& passed = lane.passed;
  if (!passed.empty() && passed.back().last >= first) {  // again, after a failure or a crash
    passed.back().last = std::max(passed.back().last, last);
    return;
  }
  passed.push_back({first, last});
  if (passed.size() <= storage::passed_ranges_max) return;
  passed[1].first = passed[0].first;
  passed.erase(passed.begin());
}

}  // namespace cape::scheduler
