// broker/scheduler/state.hpp
// The scheduler's state and its rules. Private: only the sources of this folder include it. One source a
// theme: requests.cpp, latest.cpp and late.cpp (what an answer changes), versions.cpp (canaries),
// baseline.cpp (where topologies begin), shadow.cpp (replays), issue.cpp (waiting blocks become jobs),
// outputs.cpp, output_room.cpp and rerun.cpp (lambdas that need each other), statuses.cpp (what jobs come
// to), acts.cpp (what operators ask), sessions.cpp (hosts and credit), settle.cpp (saves, pings, letting go),
// view.cpp.
//
// Inputs change lanes and issue jobs at once. What a subject needs besides (a save, a ping, to be let go) is
// decided once a step, in settle(), from what the lanes then look like: so nothing can be forgotten on a
// path.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/scheduler/host_table.hpp"
#include "broker/scheduler/job_table.hpp"
#include "broker/scheduler/lambda_queues.hpp"
#include "broker/scheduler/layout.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/scheduler/subject_table.hpp"
#include "broker/scheduler/timers.hpp"
#include "broker/scheduler/topology_limit.hpp"
#include "broker/scheduler/verdict.hpp"
#include "core/breaker.hpp"

namespace cape::scheduler {

struct Scheduler::State {
  State(SchedulerPlan given, std::uint32_t given_epoch);

  const SchedulerPlan plan;
  const std::uint32_t epoch;
  const std::vector<DomainLayout> layouts;  // by DomainIndex

  Now now;
  SubjectTable subjects;
  LambdaQueues queues;
  JobTable jobs;
  TimerHeap timers;
  HostTable hosts;
  Counters counters;
  std::uint64_t save_version = 0;  // of all subjects, so that it rises for each
  std::vector<SubjectSlot> failed_saves;
  std::int64_t save_retry_ns = 0;  // boot time; 0: no save failed
  // By subject: no event above its cursors has run. True once it left memory so in this epoch, and in the
  // first epoch until it left otherwise.
  std::vector<bool> settled;
  struct TopologyPause {
    bool paused = false;
    std::string reason;
  };
  bool earlier_jobs = false;                   // of the broker's last life may still run
  std::vector<TopologyPause> topology_pauses;  // by TopologyIndex
  std::vector<TopologyLimit> limits;           // by TopologyIndex
  struct Circuit {
    Breaker breaker;
    std::string reason;      // of the last failure
    bool held_turn = false;  // of those that it held back
    // The subject that failed before and probes now, and how often it did so in a row.
    SubjectId probing = 0;
    std::uint32_t probed = 0;
  };
  std::vector<Circuit> circuits;  // by LambdaIndex
  // Of hosts that take a number of jobs in all, places wait to be given out.
  bool places_wanted = false;
  std::vector<std::uint32_t> next_lambda;  // by TopologyIndex: whose turn it is, counted from its first one
  TopologyIndex next_topology = 0;         // whose turn it is among equals
  std::vector<OutputBudget> budgets;       // by TopologyIndex
  std::vector<std::vector<LambdaIndex>> lambdas_of;  // by TopologyIndex, with the twins
  std::vector<Split> splits;        // by LambdaIndex; of twins, and of lambdas without one, not used
  std::vector<bool> baseline_runs;  // by TopologyIndex: where it begins is not known yet, or not of all

  Actions actions;  // of the running step
  std::vector<SubjectSlot> touched;
  std::vector<SubjectId> let_go;
  std::vector<JobOutcome> outcomes;

  // ---- scheduler.cpp
  const DomainLayout& layout_of(const Subject& s) const { return layouts[s.domain]; }
  const TopologySpec& spec_of(const Lane& lane) const {
    return plan.topologies[plan.lambdas[lane.lambda].topology];
  }
  void touch(Subject& s);
  TopologyLimit& limit_of(LambdaIndex lambda) { return limits[plan.lambdas[lambda].topology]; }
  bool is_pipelined(const Lane& lane) const { return spec_of(lane).mode == Mode::pipelined; }
  bool runs_latest(const Lane& lane) const { return spec_of(lane).mode == Mode::latest; }
  // No event above it may run in the lane's topology now: the lowest cursor of its `after` set.
  Sequence limit(const Subject& s, const Lane& lane) const;
  Sequence cursor_of(const Subject& s, const TopologyPlace& place) const;
  Sequence trusted_cursor(const Subject& s, std::uint32_t place) const;
  // Nor may one of the lane above this: an event of it is parked. Of a pipelined lane the events before that
  // one may run: after a restart they may have to. So may those of a strict one that went back behind it.
  Sequence parked_end(const Lane& lane) const;
  // Nor may one of the stretch that is above this, which is all of that and its own end.
  Sequence end_of(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  Sequence end_without_inputs(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  // Nothing of the lane may be issued: an operator paused it, or an act waits for its jobs or its save.
  bool is_held(const Subject& s, const Lane& lane) const;
  bool is_paused(const Subject& s, std::uint32_t place) const;
  // The stretch could take further events. Not whether there are any, nor whether there is room for them.
  bool takes_events(const Stretch& stretch) const { return !stretch.waiting && stretch.rest == Rest::none; }
  bool wants_events(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  // Events that it took could run at once; else they are read ahead.
  bool may_issue(const Lane& lane, const Stretch& stretch) const;

  // ---- requests.cpp
  void apply(const ReadFailed& input);
  void apply(const SchedulingRequest& request);
  // The input's subject, loaded if need be.
  template <class NamesSubject>
  Subject& hold(const NamesSubject& input);
  void rest_until_next_try(Subject& s, Lane& lane, Stretch& stretch);
  void begin_doubts(Subject& s, Sequence latest);
  bool went_back(const Subject& s, Sequence latest) const;
  void park_went_back(Subject& s, Sequence latest);
  void park_unreadable(Subject& s, const SchedulingRequest& request);
  bool stands_before_unreadable(const Subject& s, const Lane& lane, const Stretch& stretch,
                                const SchedulingRequest& request) const;
  void park_unreadable(Subject& s, Lane& lane, Stretch& stretch, const SchedulingRequest& request);
  bool park_went_back(Subject& s, Lane& lane, Sequence latest);
  void serve(Subject& s, Lane& lane, const SchedulingRequest& request, Sequence proven_to);
  void serve(Subject& s, Lane& lane, Stretch& stretch, const SchedulingRequest& request, Sequence proven_to);
  void note_unserved(Subject& s, Lane& lane, Stretch& stretch);
  void take_block(Subject& s, Lane& lane, Stretch& stretch, const SchedulingRequest& request, Sequence first,
                  Sequence end);  // the block's events of [first, end]

  // ---- latest.cpp
  Sequence aim(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  void serve_latest(Subject& s, Lane& lane, const SchedulingRequest& request, Sequence proven_to,
                    Sequence most);
  void note_passed_by(Lane& lane, const Stretch& stretch, const EventRange& ran);
  void note_passed(Lane& lane, Sequence first, Sequence last);

  // ---- late.cpp
  bool runs_late(const Lane& lane) const { return spec_of(lane).late == Late::run; }
  void note_given(Subject& s, const EventBlock& block, Sequence proven_to);
  void note_late(Subject& s, const TopologyPlace& place, Sequence sequence);
  bool note_late(Lane& lane, Sequence sequence);  // false: the lane has not passed it, or knows it
  void tell_late(const Subject& s, const Lane& lane, Sequence sequence);
  void tell_of_skipped(Subject& s, Lane& lane, Sequence from, Sequence to);
  Sequence end_of_late(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  void end_late(Subject& s, Lane& lane);
  void park_late(Lane& lane);
  void forget_late(Subject& s, Lane& lane, Sequence first, Sequence last);
  void forget_late_that_ran(Subject& s, Lane& lane, const EventRange& events, std::uint32_t count);
  void redrive_late(Subject& s, Lane& lane);
  bool explain_late(const Subject& s, const TopologyPlace& place, Why& why) const;

  // ---- baseline.cpp
  void apply(const BaselineDone& input);
  void apply(const EarlierJobs& input);
  void place_late(Subject& s, const storage::CursorInfo* stored);  // lanes whose baseline was done meanwhile
  bool needs_start(const Subject& s) const;                        // there are such lanes
  bool awaits_baseline(const Subject& s, const TopologyPlace& place) const;
  static constexpr std::string_view awaits_baseline_reason =
      "a scan of the source fixes where the topology begins";

  // ---- shadow.cpp
  void apply(const EndShadow& input);
  void forget_latest(Subject& s);

  // ---- issue.cpp
  void offer(Subject& s, Lane& lane);  // what waits in it and may run is queued
  Stretch* first_ready(Lane& lane) const;
  void issue_ready(LambdaIndex lambda);
  bool issue_next(LambdaIndex lambda);  // false: nothing of it may be issued now
  void issue_limited();                 // what a limit held back and does no more
  JobId issue(Subject& s, Lane& lane, Stretch& ready, Host& host);
  Stretch& cut_off(Lane& lane, Sequence end);
  void drop_waiting(Lane& lane, Stretch& stretch);
  void drop_waiting_behind(Lane& lane, const Stretch& parked);
  void drop_all_waiting(Lane& lane);
  void leave_behind(Subject& s, Lane& lane);
  void clear_left(Lane& lane);

  // ---- versions.cpp
  void apply(const Split& split);
  LambdaIndex slot_of(const Subject& s, LambdaIndex lambda) const;
  void place_in_slots(Subject& s) const;  // of a subject that is being loaded
  // To the slot that it shall have, if it is in another one and has no job; else it moves once that has
  // ended.
  void move_to_slot(Subject& s, Lane& lane);
  bool carry_over(Lane& lane, Stretch& stretch, LambdaIndex to);
  void note_outcome(const Lane& lane, const wire::JobStatus& status, const Verdict& verdict);

  // ---- places.cpp
  bool issue_places();  // of hosts that take a number of jobs in all; false: none was given out
  std::optional<LambdaIndex> lambda_to_issue(TopologyIndex topology);

  // ---- circuits.cpp
  Subject* next_in_line(LambdaIndex lambda);  // null: none, or none that the breaker lets through
  bool is_fresh(Lane& lane) const;            // its next events have not failed
  Subject* next_of_failed(LambdaIndex lambda);
  void hold_failed(Subject& s, Lane& lane);
  void hold_failed(LambdaIndex lambda);
  void note_probe(const Subject& s, LambdaIndex lambda, JobId job, bool fresh);
  void note_end(const Subject& s, const Lane& lane, const Job& job, const Verdict& verdict);
  void issue_probes();
  std::optional<std::int64_t> next_probe_ns() const;
  bool explain_circuit(const Lane& lane, Why& why) const;
  // ---- outputs.cpp
  OutputBudget& budget_of(const Lane& lane) { return budgets[plan.lambdas[lane.lambda].topology]; }
  const OutputBudget& budget_of(const Lane& lane) const {
    return budgets[plan.lambdas[lane.lambda].topology];
  }
  // As far as the outputs go that the lambda needs; -1: not even its next event has them all.
  Sequence inputs_end(const Subject& s, const Lane& lane, Sequence position) const;
  // Of the block's events from `next` to `end` those that have them: a lower end if some do not.
  Sequence end_of_inputs(Subject& s, const Lane& lane, const EventBlock& block, Sequence next, Sequence end);
  std::uint64_t input_bytes(const Subject& s, const Lane& lane, Sequence sequence) const;
  std::vector<wire::JobInput> inputs_of(const Subject& s, const Lane& lane, const EventRange& events) const;
  bool outputs_full(const Lane& lane) const;
  bool has_only_ahead(const Lane& lane, const Stretch& stretch) const;
  bool is_full_for(const Lane& lane, const Stretch& stretch) const;
  // The next events that were skipped are passed over: `end`, or the end of the stretch that may be served.
  Sequence pass_over_skipped(Lane& lane, const EventBlock& block, Sequence next, Sequence end);
  bool was_skipped(const Lane& lane, Sequence sequence) const;
  void skip_in(Lane& lane, Sequence sequence);
  const TopologyPlace& place_of_lane(const Subject& s, const Lane& lane) const {
    return layout_of(s).topologies[layout_of(s).topology_of[lane.index]];
  }
  void take_outputs(Subject& s, Lane& lane, const Job& job, const wire::JobStatus& status,
                    std::uint32_t events_done);
  void end_job(Lane& lane, const Job& job);

  // ---- output_room.cpp
  void reserve_outputs(Subject& s, Lane& lane, std::uint64_t bytes);
  std::uint64_t charge_for(const Subject& s, const TopologyPlace& place) const;
  void charge(Subject& s, const TopologyPlace& place);
  std::uint64_t charge_with_job(const Subject& s, Lane& lane) const;
  bool is_charged_for(const Subject& s, Lane& lane) const;
  bool has_output_room(Subject& s, Lane& lane);
  void wait_for_room(const Subject& s, Lane& lane);
  void end_wait_for_room(Lane& lane);
  bool issue_with_room();  // to those that waited for it; false: none was there
  bool evict_one(OutputBudget& budget);
  void drop_outputs(Subject& s, const TopologyPlace& place);

  // ---- rerun.cpp
  void settle_needs(Subject& s);
  void settle_needs(Subject& s, const TopologyPlace& place);
  bool waits_for_room(Lane& lane) const;
  bool goes_on(Subject& s, const TopologyPlace& place) const;
  void drop_waiting_if_full(Subject& s);
  void note_idle(Subject& s, const TopologyPlace& place);
  void trim(Subject& s, Lane& lane);
  std::optional<Sequence> back_to(const Subject& s, const Lane& lane) const;
  void go_back(Lane& lane, Sequence to) const;
  void send_back(Subject& s, Lane& lane);
  void go_forward(const Subject& s, Lane& lane);
  void send_back_loaded(Subject& s) const;
  void let_go_of_outputs(Subject& s);

  // ---- statuses.cpp
  void apply(const Status& input);
  void note_stale(const Status& input);
  // The stretch is gone if that was the last of it.
  void advance(Subject& s, Lane& lane, Stretch& stretch, Sequence to);
  void end_failed(Subject& s, Lane& lane, Stretch& stretch, const Verdict& verdict);
  void count_attempt(Subject& s, Stretch& stretch, Sequence sequence, const Outcome& outcome);
  void back_off(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome);
  void park(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome);
  void come_back_unstarted(Subject& s, Lane& lane, Stretch& stretch, const Outcome& outcome);
  void set_timer(Subject& s, Lane& lane, Stretch& stretch, Rest rest, std::int64_t at_ns);
  void clear_timer(const Lane& lane, Stretch& stretch);
  void notice_failure(const Subject& s, const Lane& lane, const Stretch& stretch, Notice::Kind kind,
                      const Outcome& outcome);

  // ---- sessions.cpp
  void apply(const HostUp& input);
  void apply(const HostGone& input);
  void apply(const Credit& input);
  void apply(const Heartbeat& input);
  void take_jobs_back(HostId host, const std::string& why);
  void take_job_back(JobId id, Sequence running, const std::string& why);
  void lose_silent_hosts();

  // ---- settle.cpp
  void apply(const CursorSaved& input);
  void apply(const CursorSaveFailed& input);
  void apply(const Tick& input);
  void fire_timers();
  void drop_dead_timers();
  struct Resting {
    Subject* subject = nullptr;
    Lane* lane = nullptr;
    Stretch* stretch = nullptr;  // null: the timer was cancelled
  };
  Resting resting(const Timer& timer);
  void settle(Subject& s);
  void ask_for_more(Subject& s);
  void save(Subject& s);
  bool can_leave(const Subject& s) const;
  void leave(Subject& s);

  // ---- acts.cpp
  void apply(const Command& command);
  void apply(const PauseTopology& pause);
  void fence(Subject& s, const TopologyPlace& place);
  void perform_acts(Subject& s);
  std::string refusal_of(const Subject& s, const Control::Pending& act) const;
  bool stands_before_failed(const Lane& lane) const;
  Sequence skip_to(const Subject& s, const TopologyPlace& place) const;
  Sequence skip_to(const Subject& s, const Control::Pending& act) const;
  void perform_act(Subject& s, const Control::Pending& act);
  void redrive(Subject& s, Lane& lane);
  void skip(Subject& s, Lane& lane, Sequence to);
  void rewind(Subject& s, Lane& lane, Sequence to);
  void stop(Subject& s, Lane& lane, const std::string& reason);
  void put_acts(Subject& s, SaveCursor& save);
  void end_acts(Subject& s, std::uint64_t version);
  void forget_save_of_acts(Subject& s, std::uint64_t version);
  void drop_empty_control(Subject& s);

  // ---- view.cpp
  Subject subject_of(SubjectId id, DomainIndex domain, const storage::CursorInfo* stored) const;
  TopologyPosition position_of(const Subject& s, const Lane& lane, const Stretch& stretch) const;
  SubjectState state_of(const Subject& s, const Lane& lane) const;
  const Lane& heaviest(const Subject& s, const TopologyPlace& place) const;
  bool awaits_parked_input(const Subject& s, const Lane& lane) const;
  bool is_stopped(const Subject& s, const TopologyPlace& place, const Lane& lane) const;
  bool is_stopped(const Subject& s, const TopologyPlace& place) const;
  std::string wait_of(const Subject& s, const TopologyPlace& place) const;
  Why why_of(const Subject& s, const TopologyPlace& place) const;
  void explain_wait(const Subject& s, const TopologyPlace& place, const Lane& lane, Why& why) const;
  const Lane* awaited_input(const Subject& s, const Lane& lane) const;
  bool explain_outputs(const Subject& s, const Lane& lane, Why& why) const;
  std::string input_wait_of(const Subject& s, const Lane& lane, const Lane& needed) const;
  std::string pause_reason(const Subject& s, const TopologyPlace& place) const;
  TopologyView view_of(const Subject& s, const TopologyPlace& place) const;
};

}  // namespace cape::scheduler
