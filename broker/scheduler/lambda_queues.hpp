// broker/scheduler/lambda_queues.hpp
// LambdaQueues: for each lambda the lanes that are ready to run, first come first served, those of them that
// are held back while its breaker is open, and what waits in all. Each lambda has a bound of its own, so a
// full one stops no other. Lanes are linked through themselves: taking one out of the middle costs as little
// as taking the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/scheduler/subject_table.hpp"

namespace cape::scheduler {

class LambdaQueues {
 public:
  struct Limits {
    std::size_t bytes_max = 0;   // of waiting blocks, per lambda; one block is always taken
    std::size_t timers_max = 0;  // per lambda
  };
  // `lane_of`: by lambda, its index in Subject::lanes. `subjects` must outlive it.
  LambdaQueues(Limits limits, std::vector<std::uint32_t> lane_of, SubjectTable& subjects);

  // Whether a ready lane (or one that would only read ahead) may bring `bytes` more.
  bool admits(LambdaIndex lambda, std::size_t bytes, bool reads_ahead) const;
  bool has_room(LambdaIndex lambda, bool reads_ahead) const { return admits(lambda, 1, reads_ahead); }

  void add_bytes(LambdaIndex lambda, std::size_t bytes);
  void remove_bytes(LambdaIndex lambda, std::size_t bytes);

  void push(Subject& subject, Lane& lane);  // requires: it is in no queue
  void remove(Lane& lane);                  // nothing if it is in none
  Subject* front(LambdaIndex lambda);       // null: empty
  Subject* after(const Lane& lane);         // in its queue; null: it is the last
  void hold(Subject& subject, Lane& lane);  // from the ready ones to those held back
  Subject* front_held(LambdaIndex lambda);  // null: empty
  bool is_empty(LambdaIndex lambda) const {
    return of_[lambda].ready.head == no_slot && of_[lambda].held.head == no_slot;
  }
  Lane& lane_of(Subject& subject, LambdaIndex lambda) { return subject.lanes[lane_of_[lambda]]; }

  bool has_timer_room(LambdaIndex lambda) const { return of_[lambda].timers < limits_.timers_max; }
  void add_timer(LambdaIndex lambda);
  void remove_timer(LambdaIndex lambda);

  // A lane was let go for a limit. Once every such lane of the lambda is stored and half of the room is free
  // again, take_walks() is true, once.
  void note_left(LambdaIndex lambda, bool unsaved);
  void note_left_saved(LambdaIndex lambda);
  bool take_walks();

  std::size_t bytes() const { return bytes_; }
  std::size_t timers() const { return timers_; }

 private:
  struct List {
    SubjectSlot head = no_slot, tail = no_slot;
  };
  struct Queue {
    List ready, held;
    std::size_t bytes = 0, timers = 0;
    std::size_t left_unsaved = 0;
    bool walk_wanted = false;
  };
  Lane& lane(SubjectSlot slot, LambdaIndex lambda) { return lane_of(subjects_.at(slot), lambda); }
  void append(List& list, Subject& subject, Lane& added);
  bool is_drained(const Queue& queue) const;

  Limits limits_;
  std::vector<std::uint32_t> lane_of_;
  SubjectTable& subjects_;
  std::vector<Queue> of_;  // by lambda
  std::size_t bytes_ = 0, timers_ = 0, walks_wanted_ = 0;
};

std::size_t bytes_of(const EventBlock& block);

}  // namespace cape::scheduler
