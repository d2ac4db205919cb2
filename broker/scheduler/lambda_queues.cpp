#include "broker/scheduler/lambda_queues.hpp"

#include <utility>

#include "core/error.hpp"

namespace cape::scheduler {

std::size_t bytes_of(const EventBlock& block) {
  return sizeof(EventBlock) + block.bytes.size() + block.entries.size() * sizeof(EventBlock::Entry);
}

LambdaQueues::LambdaQueues(Limits limits, std::vector<std::uint32_t> lane_of, SubjectTable& subjects)
    : limits_(limits), lane_of_(std::move(lane_of)), subjects_(subjects), of_(lane_of_.size()) {}

// Reading ahead gets half of the room: it must not keep out subjects that could run at once.
bool LambdaQueues::admits(LambdaIndex lambda, std::size_t bytes, bool reads_ahead) const {
  const std::size_t limit = reads_ahead ? limits_.bytes_max / 2 : limits_.bytes_max;
  return of_[lambda].bytes == 0 || of_[lambda].bytes + bytes <= limit;
}

void LambdaQueues::add_bytes(LambdaIndex lambda, std::size_t bytes) {
  of_[lambda].bytes += bytes;
  bytes_ += bytes;
}

void LambdaQueues::remove_bytes(LambdaIndex lambda, std::size_t bytes) {
  CAPE_CHECK(of_[lambda].bytes >= bytes);
  of_[lambda].bytes -= bytes;
  bytes_ -= bytes;
}

void LambdaQueues::append(List& list, Subject& subject, Lane& added) {
  CAPE_CHECK(!added.queued);
  added.queued = true;
  added.queue_previous = list.tail;
  added.queue_next = no_slot;
  if (list.tail == no_slot)
    list.head = subject.slot;
  else
    lane(list.tail, added.lambda).queue_next = subject.slot;
  list.tail = subject.slot;
}

void LambdaQueues::push(Subject& subject, Lane& added) {
  added.held = false;
  append(of_[added.lambda].ready, subject, added);
}

void LambdaQueues::hold(Subject& subject, Lane& moved) {
  remove(moved);
  moved.held = true;
  append(of_[moved.lambda].held, subject, moved);
}

void LambdaQueues::remove(Lane& removed) {
  if (!removed.queued) return;
  List& list = removed.held ? of_[removed.lambda].held : of_[removed.lambda].ready;
  if (removed.queue_previous == no_slot)
    list.head = removed.queue_next;
  else
    lane(removed.queue_previous, removed.lambda).queue_next = removed.queue_next;
  if (removed.queue_next == no_slot)
    list.tail = removed.queue_previous;
  else
    lane(removed.queue_next, removed.lambda).queue_previous = removed.queue_previous;
  removed.queued = false;
}

Subject* LambdaQueues::front(LambdaIndex lambda) {
  const SubjectSlot head = of_[lambda].ready.head;
  return head == no_slot ? nullptr : &subjects_.at(head);
}

Subject* LambdaQueues::after(const Lane& lane) {
  return lane.queue_next == no_slot ? nullptr : &subjects_.at(lane.queue_next);
}

Subject* LambdaQueues::front_held(LambdaIndex lambda) {
  const SubjectSlot head = of_[lambda].held.head;
  return head == no_slot ? nullptr : &subjects_.at(head);
}

void LambdaQueues::add_timer(LambdaIndex lambda) {
  ++of_[lambda].timers;
  ++timers_;
}

void LambdaQueues::remove_timer(LambdaIndex lambda) {
  CAPE_CHECK(of_[lambda].timers > 0);
  --of_[lambda].timers;
  --timers_;
}

void LambdaQueues::note_left(LambdaIndex lambda, bool unsaved) {
  Queue& queue = of_[lambda];
  if (unsaved) ++queue.left_unsaved;
  if (!std::exchange(queue.walk_wanted, true)) ++walks_wanted_;
}

void LambdaQueues::note_left_saved(LambdaIndex lambda) {
  CAPE_CHECK(of_[lambda].left_unsaved > 0);
  --of_[lambda].left_unsaved;
}

bool LambdaQueues::is_drained(const Queue& queue) const {
  return queue.left_unsaved == 0 && queue.bytes <= limits_.bytes_max / 2 &&
         queue.timers <= limits_.timers_max / 2;
}

bool LambdaQueues::take_walks() {
  if (walks_wanted_ == 0) return false;
  bool walk = false;
  for (Queue& queue : of_) {
    if (!queue.walk_wanted || !is_drained(queue)) continue;
    queue.walk_wanted = false;
    --walks_wanted_;
    walk = true;
  }
  return walk;
}

}  // namespace cape::scheduler
