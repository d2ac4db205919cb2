// tests/sim/checkers.hpp
// Checkers hold what is promised against what happened. They see what lambdas saw, what the store and the
// source hold and the plan, and nothing of the scheduler. All counts are the run's, not a life's.
// Borrows `all` and `source`, which must outlive it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "storage/cursor_info.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/outside.hpp"
#include "tests/sim/promise.hpp"
#include "tests/sim/source.hpp"

namespace cape::scheduler {

using sim::EventStart;

// What a lambda of the simulation gives for an event, each time that it succeeds on it.
std::string output_of(LambdaIndex lambda, SubjectId subject, Sequence sequence);

class Checkers {
 public:
  using Violate = std::function<void(Promise, std::string)>;

  Checkers(const SchedulerPlan& all, const Source& source, bool poison, Violate violate);

  // A broker starts. From now on topology t comes after those in after[t] that are `known`.
  void on_config(std::vector<bool> known, std::vector<std::vector<TopologyIndex>> after, std::int64_t now_ns);
  // Of a topology that begins at a baseline: its scan is stored up to the subject, which had this latest; and
  // it is stored as a whole.
  void on_baseline(TopologyIndex topology, SubjectId subject, Sequence latest);
  void on_baseline_done(TopologyIndex topology) { baseline_done_[topology] = true; }
  // From now on the shadow runs these sequences, as if it had never run anything.
  void on_replay(TopologyIndex shadow, Sequence from, Sequence to);
  // The first event that runs; 1 while a baseline does not say.
  Sequence start_of(TopologyIndex topology, SubjectId subject) const;
  bool knows_start(TopologyIndex topology) const { return baseline_done_[topology]; }
  void on_start(const EventStart& start, std::int64_t now_ns);
  // Whatever it came to; `is_known`: the host hears that it was this event that failed, if it did.
  void on_end(const EventStart& start, OutcomeKind end, bool is_known);
  void on_shown(SubjectId subject, std::size_t place);  // a late event
  // In each lambda of it that stands past the event then, or was told of it as late, as `before` says (null:
  // nothing was stored); `is_rewound`: it was rewound before that was stored, and where each stood is not
  // known.
  void on_skip(TopologyIndex topology, SubjectId subject, Sequence sequence,
               const storage::TopologyCursor* before, const storage::TopologyCursor& to, bool is_rewound);
  void on_lie(SubjectId subject) { lied_about_[subject] = true; }
  void on_rewind(TopologyIndex topology, SubjectId subject, const storage::TopologyCursor& to);
  // `before`: what the store held, null: nothing.
  void on_commit(SubjectId subject, const storage::CursorInfo* before, const storage::CursorInfo& after);

  // It began as often as it takes to be parked for that, in some lambda.
  bool had_its_attempts(TopologyIndex topology, SubjectId subject, Sequence sequence) const;
  bool is_poison(TopologyIndex topology, SubjectId subject, Sequence sequence) const;
  // The place of the event at which the topology has to stand still until an operator comes; the number of
  // events: nowhere.
  std::size_t stop_of(TopologyIndex topology, SubjectId subject);
  // How many events there are from the first on that is not through in some topology that is known.
  std::size_t backlog(SubjectId subject);
  // Everything that no event holds up that fails for ever.
  bool is_through(TopologyIndex topology, SubjectId subject);
  // The sequence up to which everything has succeeded or need not run, as far as the topology may go.
  Sequence done_to(LambdaIndex lambda, SubjectId subject);
  // The event need not run there, or ran successfully or was skipped once.
  bool is_through_with(TopologyIndex topology, SubjectId subject, std::size_t place);
  // It succeeded there, or was skipped, once.
  bool has_run(LambdaIndex lambda, SubjectId subject, std::size_t place) {
    return lane_of(lambda, subject).seen[place].passed;
  }
  std::uint64_t overtaken() const { return overtaken_; }  // events that ran first after a later one had begun

 private:
  struct Seen {                 // of one event by one lambda
    bool succeeded = false;     // or skipped, since the last rewind to below it
    bool ran = false;           // successfully, once
    bool passed = false;        // ran or skipped, once
    bool gave = false;          // its output, once
    bool gave_nothing = false;  // SKIPPED, or skipped by an operator, once
    JobId last_job = 0;
    JobId failed_in = 0;   // the last job that it failed in
    JobId counted_in = 0;  // the last job in which it counted as an event of its topology's rate
    std::uint32_t running = 0;
    std::uint32_t starts = 0;
  };
  struct Lane {
    std::vector<Seen> seen;     // by place
    std::size_t succeeded = 0;  // all before this place have, or need not
    std::size_t passed = 0;
    std::size_t top = 0;  // behind the highest place that ran or was skipped
    JobId last_job = 0;
    Sequence highest = 0;  // that began
    std::uint32_t running = 0;
  };

  Lane& lane_of(LambdaIndex lambda, SubjectId subject);
  const TopologySpec& spec_of(LambdaIndex lambda) const {
    return all_.topologies[all_.lambdas[lambda].topology];
  }
  std::size_t reach(LambdaIndex lambda, SubjectId subject, bool Seen::*flag, std::size_t Lane::*mark);
  std::size_t succeeded(LambdaIndex lambda, SubjectId subject) {
    return reach(lambda, subject, &Seen::succeeded, &Lane::succeeded);
  }
  bool has_passed(TopologyIndex topology, SubjectId subject, std::size_t place);
  void check_limits(const EventStart& start, Seen& seen, std::int64_t now_ns);
  void note_passed_over(TopologyIndex topology, LambdaIndex lambda, SubjectId subject,
                        const storage::LambdaCursor& at);
  void check_fence(Lane& lane, const EventStart& start, std::size_t place);
  void check_alone(Lane& lane, const EventStart& start, std::size_t place);
  void check_after(const EventStart& start, std::size_t place);
  void check_inputs(const EventStart& start, std::size_t place);
  void check_cursor(TopologyIndex topology, SubjectId subject, const storage::LambdaCursor& at,
                    const storage::LambdaCursor* before);
  const TopologySpec* named(const std::string& topology) const;

  const SchedulerPlan& all_;
  const Source& source_;
  bool poison_;
  Violate violate_;
  std::vector<bool> known_;
  std::vector<std::vector<TopologyIndex>> after_;
  std::vector<std::vector<Lane>> lanes_;  // by lambda, by subject
  std::vector<bool> lied_about_;          // what may have run before cannot be known of these
  std::uint64_t overtaken_ = 0;
  struct OfTopology {  // in this life of the broker
    std::uint32_t jobs_running = 0;
    std::uint64_t events_begun = 0;
  };
  std::vector<OfTopology> of_topology_;
  std::int64_t started_ns_ = 0;
  JobId first_job_ = 0;                                                // of this life
  std::vector<bool> baseline_done_;                                    // by topology; true without one
  std::map<std::pair<TopologyIndex, SubjectId>, Sequence> baselines_;  // the latest then
  struct Range {
    Sequence from = 1, to = 0;
  };
  std::map<TopologyIndex, Range> replays_;  // by shadow
};

}  // namespace cape::scheduler

namespace cape::sim {
std::string to_text(const EventStart& start);
}  // namespace cape::sim
