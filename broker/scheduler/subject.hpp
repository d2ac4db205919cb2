// broker/scheduler/subject.hpp
// What the scheduler remembers of one subject: a lane for each lambda of each topology of its domain. Plain
// values without rules; the rules are in state.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/scheduler/control.hpp"
#include "broker/scheduler/lane_outputs.hpp"
#include "core/event.hpp"
#include "core/types.hpp"
#include "storage/cursor_info.hpp"

namespace cape::scheduler {

// Why a lane waits for a time.
enum class Rest : std::uint8_t {
  none,
  backing_off,  // an attempt failed
  unstarted,    // its jobs keep coming back without having begun
  rereading,    // the source keeps telling of events and does not give them
};

// Whether a limit made us let go of the lane's events, and whether the store knows the subject as behind.
enum class Left : std::uint8_t { no, unsaved, saved };

// A stretch of a lane's sequences, (cursor, to], in which events run one job after the other.
//
//   cursor        job_end          waiting_end             to
//     │  job in flight │  waiting block   │  not read yet   │
//     ▼                ▼                  ▼                 ▼
//   ──●────────────────●──────────────────●─────────────────●──▶ sequence
struct Stretch {
  Sequence cursor = 0;      // everything of the stretch up to it is processed
  Sequence to = INT64_MAX;  // its last sequence; the open one of a lane has no end
  Sequence repeat_to = 0;   // events up to here may have been started before

  JobId job = 0;         // in flight; 0: none
  Sequence job_end = 0;  // where the cursor stands when all of it is done

  EventBlockPtr waiting;  // its entries from waiting_first on, up to waiting_end, run next
  std::uint32_t waiting_first = 0;
  Sequence waiting_end = 0;  // the block proves that there is nothing else up to here
  std::int64_t waiting_ping_ns = 0;

  Rest rest = Rest::none;
  std::int64_t timer_ns = 0;  // boot time at which the rest ends

  Sequence failed_sequence = 0;
  bool failed_ahead = false;   // the record says so, and events before it may have yet to run
  std::uint32_t attempts = 0;  // of failed_sequence
  std::int64_t next_try_wall_ns = 0;
  std::int64_t failing_since_wall_ns = 0;  // since when an event of it fails, redriven or not; 0: none does
  bool parked = false;
  std::string reason;

  std::uint8_t unstarted = 0;   // jobs in a row that came back without having begun
  std::uint8_t unserved = 0;    // reads in a row that did not reach this stretch
  std::uint8_t looks_back = 0;  // of mode latest: reads in a row that found no event before the latest

  Sequence position() const { return waiting ? waiting_end : job != 0 ? job_end : cursor; }
  bool idle() const { return job == 0 && waiting == nullptr && rest == Rest::none; }
};

// What appeared too late for a lane, and the stretch in which one of it runs at a time: beside the line of
// the others, below its cursor, which it never moves.
struct LateLane {
  storage::LateEvents told;
  Stretch stretch = no_stretch();  // (sequence - 1, sequence]; `to` 0: nothing of it is to run
  bool is_new = false;             // none of it can have been started before

  static Stretch no_stretch() {
    Stretch none;
    none.to = 0;
    return none;
  }
  bool has_failed() const {
    return stretch.attempts > 0 || std::ranges::any_of(told.events, [](const storage::LateEvent& event) {
             return event.parked || event.attempts > 0;
           });
  }
  // One of them, up to `last`, has yet to run.
  bool awaits(Sequence last) const {
    return std::ranges::any_of(told.events, [last](const storage::LateEvent& event) {
      return !event.parked && event.sequence <= last;
    });
  }
};
void keep_late(LateLane& late);              // the state of its stretch, in what is told
void begin_late(LateLane& late, bool runs);  // the stretch of the next one; requires: the stretch is idle

// One lambda of one subject. A strict lane has its open stretch alone. In a pipelined one each job gets a
// stretch of its own, cut from the front of the open one, and keeps it until all of it is done; what lies
// between two stretches is done. So a failed job holds up nothing but the cursor:
//
//   cursor()
//     │ earlier[0]  done  earlier[1]  done         open
//   ──●═════════════┼─────●═══════════┼────────────●═════▶ sequence
//
// A lane of mode latest has its open stretch alone, too, but takes of it the newest event at a time. A strict
// lane with a parked event that went back for the sake of its outputs has one stretch before the open one, up
// to that event.
struct Lane {
  LambdaIndex lambda = 0;
  std::uint32_t index = 0;  // in Subject::lanes

  // Up to here everything was processed once, though it stands before that: it runs again for the sake of
  // its outputs. 0, or anything up to at(): it does not.
  Sequence reached = 0;
  std::unique_ptr<LaneOutputs> outputs;  // null: no lambda needs this one
  bool unplaced = false;  // of a topology whose baseline was not done: its cursor is not known, and not saved

  Sequence saved_cursor = 0;   // what the store has confirmed
  Sequence saving_cursor = 0;  // what the save that is out carries

  std::vector<storage::SequenceRange> passed;  // as stored: what mode latest passed over

  std::vector<Stretch> earlier;  // rising, at most pipelined_jobs_max, none of them done
  Stretch open;
  std::unique_ptr<LateLane> late;  // mostly null

  SubjectSlot queue_next = no_slot, queue_previous = no_slot;  // in the lambda's queue
  bool queued = false;
  bool held = false;   // in the queue of those that the lambda's breaker holds back
  bool moves = false;  // to the lambda's twin, once its jobs have ended: nothing further is issued until then
  Left left = Left::no;
  bool refused = false;  // no room for a block was left: none is asked for before a job of the lane ends

  // The line of its stretches, and behind it that of late events.
  std::size_t line_size() const { return earlier.size() + 1; }
  std::size_t size() const { return line_size() + (late ? 1 : 0); }
  const Stretch& operator[](std::size_t i) const {
    return i < earlier.size() ? earlier[i] : i == earlier.size() ? open : late->stretch;
  }
  Stretch& operator[](std::size_t i) { return const_cast<Stretch&>(std::as_const(*this)[i]); }
  bool is_open(const Stretch& stretch) const { return &stretch == &open; }
  bool is_late(const Stretch& stretch) const { return late && &stretch == &late->stretch; }

  // The stretch in which `job` runs. Requires: there is one.
  Stretch& of_job(JobId job);

  Sequence at() const { return (*this)[0].cursor; }  // it runs on from here
  Sequence cursor() const { return std::max(at(), reached); }
  bool idle() const;
  bool has_jobs() const;  // in flight
  bool parked() const;
  // Parked as a whole, for no event of its own: nothing of it may run.
  bool is_stopped() const { return open.parked && open.failed_sequence == 0; }
  // The stretch whose trouble is told and stored: the open one if all is stopped by it, else a parked one,
  // else one that failed. The lowest of them.
  const Stretch& troubled() const;
};

// Parts of the stored record that the plan does not know. Kept, since they may come back.
struct Strangers {
  struct LambdaOf {
    std::uint32_t topology = 0;  // index into DomainLayout::topologies
    storage::LambdaCursor lambda;
  };
  std::vector<storage::TopologyCursor> topologies;
  std::vector<LambdaOf> lambdas;
};

struct Subject {
  SubjectId id = 0;
  SubjectSlot slot = no_slot;
  DomainIndex domain = 0;
  std::string name;
  Sequence latest = 0;
  storage::GivenWindow given;
  std::vector<Lane> lanes;
  std::unique_ptr<Strangers> strangers;  // mostly null
  std::unique_ptr<Control> control;      // mostly null

  bool unread = true;         // no answer of the source came since it is held
  bool touched = false;       // in the list of the running step
  bool ping_out = false;      // PingAgain was said and no request came since
  bool gone = false;          // the source did not know it when it was read last
  bool more_answers = false;  // the last request said that another one of the same read follows
  bool read_failed = false;   // the last read did, and no request came since

  bool dirty = false;          // something is to be saved
  bool save_failed = false;    // wait for a Tick before asking again
  std::uint64_t save_out = 0;  // version of the save that is out; 0: none
  Sequence saved_latest = 0, saving_latest = 0;
  bool saved_behind = false, saving_behind = false;
  std::uint64_t inbox_wanted = 0, inbox_saving = 0,
                inbox_done = 0;  // generations to clear, being cleared, cleared

  // What a restart must find: something still waits for this subject, be it an operator.
  bool is_behind() const {
    for (const Lane& lane : lanes)
      if (lane.unplaced || lane.parked() || lane.cursor() < latest || (lane.late && !lane.late->told.empty()))
        return true;
    return false;
  }
};

}  // namespace cape::scheduler
