// tests/sim/simulation.hpp
// A seeded world round the scheduler, in virtual time: a source that grows and may lie, a tracker, a store
// that is late, fails, or fails after it has committed, hosts that fail events, hang, die, or are cut off and
// run on until their lease ends, a broker that crashes between any two actions and starts with another
// config, and operators who pause, park, redrive, skip and rewind at random. Checkers look on. Once failures
// have ended and every subject was pinged once, everything has to be processed and saved, but for what an
// event holds up that fails for ever, and that this is stopped has to be told.
//
// A run is a pure function of its options. One thread; nothing of it outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checkers.hpp"
#include "tests/sim/config.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/promise.hpp"
#include "tests/sim/source.hpp"

namespace cape::scheduler {

// What a run met, to see that it did meet what it is there to meet.
struct Met {
  std::uint64_t steps = 0, events = 0, crashes = 0, walks = 0, hosts_lost = 0, hung = 0, parked = 0,
                overtaken = 0;
  std::uint64_t acts_done = 0, configs = 0, late = 0, lies = 0, went_back = 0, unreadable = 0;
  std::uint64_t saves_failed = 0, saves_unanswered = 0;

  void add(const Met& other);
};
std::string to_text(const Met& met);

class Simulation {
 public:
  explicit Simulation(SimulationOptions options);

  const SimulationOptions& options() const { return options_; }
  void run();  // until all is done, or a promise is broken
  const std::vector<Violation>& violations() const { return violations_; }
  Met met() const;

  // One step of a life of the broker.
  struct Step {
    std::uint32_t epoch;
    const SchedulerPlan& plan;
    Now now;
    const std::vector<Input>& inputs;
    const Actions& actions;
  };
  // Called with every step, and with what else happens.
  void watch(std::function<void(const Step&)> on_step, std::function<void(const std::string&)> on_note);

 private:
  struct Stored {
    storage::CursorInfo info;
    bool behind = false;
    std::uint64_t version = 0;
    bool is_known = false;  // the broker of this life was told so
  };
  struct Host {
    bool runs = true;  // false: it died or fenced itself; nothing of it runs any more
    bool cut = false;  // nothing it says arrives
    std::int64_t lease_end_ns = 0;
    std::map<JobId, Sequence> running;
    std::map<JobId, LambdaIndex> out;  // as the broker knows it
  };
  struct Held {
    bool paused = false, parked = false;
  };
  struct Due {
    std::int64_t at_ns = 0;
    std::uint64_t number = 0;  // of equal times the first that was put there
    std::function<void()> what;
    bool operator>(const Due& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : number > other.number;
    }
  };
  // What a save did is in the store from then on; what the broker hears of it is another matter.
  enum class SaveEnd : std::uint8_t { saved, failed, failed_after_commit, unanswered };

  // ---- simulation.cpp: the queue, and the broker
  void at(std::int64_t delay_ns, std::function<void()> what);
  void broker_at(std::int64_t delay_ns, std::function<void()> what);  // lost if the broker crashes before
  std::int64_t some(std::int64_t low_ns, std::int64_t high_ns);
  bool chance(double probability);
  bool in_trouble() const { return now_.boot_ns < trouble_end_ns_; }
  void run_until(std::int64_t end_ns, const std::function<bool()>& done);
  void go_to(std::int64_t at_ns);
  void heal();
  void walk_source();
  void start_broker();
  void crash_broker();
  void step(std::vector<Input> inputs);
  void check_spin();
  void schedule_tick();
  void violate(Promise promise, std::string what);
  void note(const std::string& what);
  void check_bounds();
  std::string unfinished();
  void check_end();
  void perform(const WalkBehind&);
  void perform(const Notice& notice);
  bool is_rewound(TopologyIndex topology, SubjectId subject) const;  // such a command is out

  // ---- store.cpp
  void perform(const SaveCursor& save);
  void tell_saved(SubjectId subject, std::uint64_t version);
  void commit(const SaveCursor& save);
  void commit_audit(const SaveCursor& save);
  const storage::CursorInfo* stored(SubjectId subject) const;
  std::optional<storage::CursorInfo> loaded(SubjectId subject) const;

  // ---- tracker.cpp: source and tracker
  void perform(const PingAgain& ping) { this->ping(ping.subject); }
  void append();
  void append_to(SubjectId subject);
  void ping_behind();
  void ping(SubjectId subject);
  void read(SubjectId subject);
  void answer(SubjectId subject, const std::vector<Sequence>& starts);
  SchedulingRequest request_for(SubjectId subject, Sequence start, Sequence latest);
  std::optional<SchedulingRequest> lie(SubjectId subject);
  std::vector<TopologyIndex> saved_beyond(SubjectId subject, Sequence latest) const;

  // ---- hosts.cpp
  void add_host();
  void beat(HostId id);
  void disturb_hosts();
  void disturb(HostId id);
  void perform(const IssueJob& job);
  void start_job(HostId id, const IssueJob& job);
  void run_event(HostId id, const IssueJob& job, std::uint32_t index);
  void end_event(HostId id, const IssueJob& job, std::uint32_t index, bool hung);
  void report(HostId id, wire::JobStatus status);
  void claim_elsewhere(const IssueJob& job);
  bool is_running(Host& host);  // and is allowed to

  // ---- operators.cpp
  void operate();
  void command(Act act, TopologyIndex topology, SubjectId subject, Sequence sequence);
  void pause_whole(TopologyIndex topology, bool paused);
  void end_all_acts();
  void perform(const CancelJob& cancel) { cancelled_.insert(cancel.job); }
  void perform(const CommandDone& done);
  TopologyView view_of(TopologyIndex topology, SubjectId subject) const;

  SimulationOptions options_;
  SchedulerPlan all_;
  std::mt19937_64 random_;
  Now now_{.boot_ns = 1000 * second, .wall_ns = 1'700'000'000 * second};
  std::int64_t trouble_end_ns_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
  std::uint64_t queued_ = 0, steps_in_window_ = 0;
  std::int64_t window_ns_ = 0;
  bool is_healed_ = false;

  Source source_;
  Checkers checkers_;
  SimConfig config_;
  Life life_;
  std::unique_ptr<Scheduler> scheduler_;
  std::uint32_t epoch_ = 0;  // also the broker's life: what was meant for an older one is lost
  std::int64_t tick_ns_ = 0;
  std::map<SubjectId, Stored> store_;
  std::set<SubjectId> reading_, again_, lied_about_;
  std::map<HostId, Host> hosts_;
  HostId next_host_ = 1;
  bool gate_is_open_ = false;  // no host of the life before runs anything, and jobs may be issued

  std::map<std::pair<TopologyIndex, SubjectId>, Held> held_;
  std::set<std::pair<TopologyIndex, SubjectId>> went_back_;  // parked for that in this life
  std::set<TopologyIndex> paused_whole_;
  std::map<std::uint64_t, Command> commands_;  // that are out; their topology is the run's
  std::uint64_t last_command_ = 0;
  std::set<JobId> cancelled_;

  std::vector<Violation> violations_;
  Met met_;
  std::function<void(const Step&)> on_step_;
  std::function<void(const std::string&)> on_note_;
};

}  // namespace cape::scheduler
