// tests/sim/simulation.hpp
// A seeded world round the scheduler: a source that grows, a tracker, a store that is late or fails, hosts
// that fail events, die, or are cut off and run on until their lease ends, a broker that crashes between any
// two events, operators who pause, park, redrive, skip and rewind at random. It checks, from what lambdas saw and what the store holds alone:
//
//   order       in a strict topology an event starts only after its lambda succeeded on every earlier one of
//               the subject (G2)
//   after       an event starts only when the topologies that come first are through with it (G3)
//   fences      no event runs in a job after a later job with it began; in a strict topology no job of a lane
//               runs after a later job of it began (G7)
//   cursors     stored ones only rise and never stand past an event that has not succeeded (G6)
//   acts        nothing of a paused or parked subject is issued; a rewound one runs again, in order; each act
//               that was told to be done is in the store
//   bounds      waiting bytes and timers stay under their limits (G9)
// and, once failures have ended and every subject was pinged once, that everything was processed, but for
// what a parked event holds up, and that this is told to be stopped (G1, G8).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {

enum class PlanShape : std::uint8_t { strict, pipelined, chain, join };

struct SimulationOptions {
  std::uint64_t seed = 1;
  PlanShape shape = PlanShape::strict;
  bool operators = false;
  bool poison = false;              // some events of some subjects fail for ever
  std::uint32_t jobs_per_host = 2;  // of each lambda
  SubjectId subjects = 12;
  std::int64_t trouble_ns = 4 * second;  // how long things fail
  std::size_t waiting_bytes_max = 4096;
  std::size_t timers_max = 4;
  bool record = false;  // keep every step
};

class Simulation {
 public:
  explicit Simulation(SimulationOptions options);

  void run();
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t events_run() const { return events_run_; }
  std::uint64_t crashes() const { return crashes_; }
  std::uint64_t walks() const { return walks_; }
  std::uint64_t hosts_lost() const { return hosts_lost_; }
  std::uint64_t parked() const { return parked_; }
  std::uint64_t acts_done() const { return acts_done_; }
  std::uint64_t overtaken() const { return overtaken_; }  // events that ran first after a later one had begun

  // Every step of every life of the broker, for a replay. Needs options.record.
  struct Step {
    std::uint32_t epoch;
    Now now;
    std::vector<Input> inputs;
    std::string actions;
  };
  const std::vector<Step>& steps() const { return steps_; }
  static SchedulerPlan plan_of(const SimulationOptions& options);

 private:
  struct Stored {
    storage::CursorInfo info;
    bool behind = false;
  };
  struct Host {
    bool runs = true;  // false: it died or fenced itself; nothing of it runs any more
    bool cut = false;  // nothing it says arrives
    std::int64_t lease_end_ns = 0;
    std::map<JobId, Sequence> running;
  };
  struct LaneLog {  // of one lambda of one subject: what the lambda itself saw
    std::set<Sequence> succeeded;  // or were skipped, since the last rewind to below them
    std::set<Sequence> ever;       // succeeded, rewinds or not
    JobId last_job = 0;
    std::map<Sequence, JobId> last_job_of;
    Sequence highest = 0;  // that began
  };

  // The event queue.
  void at(std::int64_t delay_ns, std::function<void()> what);
  void broker_at(std::int64_t delay_ns, std::function<void()> what);  // lost if the broker crashes before
  std::int64_t some(std::int64_t low_ns, std::int64_t high_ns);
  bool chance(double probability);
  bool in_trouble() const { return now_.boot_ns < trouble_end_ns_; }
  void run_until(std::int64_t end_ns, const std::function<bool()>& done);

  // The broker.
  void start_broker();
  void crash_broker();
  void step(std::vector<Input> inputs);
  void perform(const IssueJob& job);
  void perform(const SaveCursor& save);
  void perform(const PingAgain& ping) { this->ping(ping.subject); }
  void perform(const WalkBehind&);
  void perform(const Notice& notice);
  void perform(const CancelJob& cancel);
  void perform(const CommandDone& done);
  void ping_behind();
  void schedule_tick();

  // Source and tracker.
  void append();
  void ping(SubjectId subject);
  void read(SubjectId subject);
  void answer(SubjectId subject, const std::vector<Sequence>& starts);
  SchedulingRequest request_for(SubjectId subject, Sequence start);

  // Hosts.
  void add_host();
  void beat(HostId id);
  void disturb_hosts();
  void start_job(HostId id, IssueJob job);
  void run_event(HostId id, const IssueJob& job, std::uint32_t index);
  void end_event(HostId id, const IssueJob& job, std::uint32_t index);
  void report(HostId id, const IssueJob& job, wire::JobStatus status);

  // Operators.
  void operate();
  void command(Act act, TopologyIndex topology, SubjectId subject, Sequence sequence);
  void pause_whole(TopologyIndex topology, bool paused);
  void end_all_acts();
  void commit_audit(const SaveCursor& save);

  // The checkers.
  void violate(std::string what);
  void check_start(const IssueJob& job, Sequence sequence);
  void check_fence(LaneLog& log, const IssueJob& job, Sequence sequence, const std::string& who);
  void check_order(const LaneLog& log, const IssueJob& job, Sequence sequence, const std::string& who);
  void check_commit(SubjectId subject, const storage::CursorInfo& info);
  void check_bounds();
  bool is_poison(TopologyIndex topology, SubjectId subject, Sequence sequence) const;
  Sequence first_stop(TopologyIndex topology, SubjectId subject) const;
  bool has_passed(TopologyIndex topology, SubjectId subject, Sequence sequence) const;  // once, at least
  bool has_succeeded(TopologyIndex topology, SubjectId subject, Sequence sequence) const;
  bool is_all_done() const;
  bool is_stopped(TopologyIndex topology, SubjectId subject) const;

  SimulationOptions options_;
  SchedulerPlan plan_;
  std::mt19937_64 random_;
  Now now_{.boot_ns = 1000 * second, .wall_ns = 1'700'000'000 * second};
  std::int64_t trouble_end_ns_;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::function<void()>> queue_;
  std::uint64_t queued_ = 0;

  std::unique_ptr<Scheduler> scheduler_;
  std::uint32_t epoch_ = 0;  // also the broker's life: what was meant for an older one is lost
  std::int64_t tick_ns_ = 0;
  std::map<SubjectId, Stored> store_;
  std::map<SubjectId, std::vector<Sequence>> source_;
  std::set<SubjectId> reading_, again_;
  std::map<HostId, Host> hosts_;
  HostId next_host_ = 1;
  std::map<std::pair<LambdaIndex, SubjectId>, LaneLog> logs_;

  std::vector<std::string> violations_;
  std::vector<Step> steps_;
  struct Held {
    bool paused = false, parked = false;
  };
  std::map<std::pair<TopologyIndex, SubjectId>, Held> held_;
  std::set<TopologyIndex> paused_whole_;
  std::map<std::uint64_t, Command> commands_;  // that are out
  std::uint64_t last_command_ = 0;
  std::set<std::pair<TopologyIndex, std::pair<SubjectId, Sequence>>> skipped_, skipped_ever_;
  std::uint64_t acts_done_ = 0;
  std::set<JobId> cancelled_;

  std::uint64_t events_run_ = 0, crashes_ = 0, walks_ = 0, hosts_lost_ = 0, parked_ = 0, overtaken_ = 0;
};

}  // namespace cape::scheduler
