// tests/sim/simulation.hpp
// A seeded world round what Cape decides, in virtual time. Real are the scheduler, the broker's side of
// hosts, publisher, saver and replays, the tracker's book and its planning, the host's worker and its side of
// a session. Simulated are a source that grows and may lie, a store that is late, fails, or fails after it
// has committed, a network, children, hosts that hang, die, are cut off, are drained or get other plugin
// bytes, a broker that crashes between any two actions and starts with another config, and operators who
// pause, park, redrive, skip, rewind and replay at random. Checkers look on. Once failures have ended and
// every subject was pinged once, everything has to be processed and saved, but for what an event holds up
// that fails for ever, and that this is stopped has to be told.
//
// A run is a pure function of its options. One thread; nothing of it outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "broker/hosts.hpp"
#include "broker/publisher.hpp"
#include "broker/replays.hpp"
#include "broker/saver.hpp"
#include "broker/tracker/query_plan.hpp"
#include "broker/tracker/read_book.hpp"
#include "tests/sim/checkers.hpp"
#include "tests/sim/config.hpp"
#include "tests/sim/coverage_check.hpp"
#include "tests/sim/fate.hpp"
#include "tests/sim/host.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/outside.hpp"
#include "tests/sim/promise.hpp"
#include "tests/sim/sim_store.hpp"
#include "tests/sim/source.hpp"

namespace cape::scheduler {

// What a run met, to see that it did meet what it is there to meet.
struct Met {
  std::uint64_t steps = 0, events = 0, crashes = 0, walks = 0, hosts_lost = 0, hung = 0, parked = 0,
                overtaken = 0, crashed = 0, outages = 0, circuits_opened = 0;  // hung and crashed: events
  std::uint64_t acts_done = 0, configs = 0, outputs_dropped = 0, late = 0, lies = 0, went_back = 0,
                unreadable = 0;
  sim::StoreMet store;
  sim::HostMet hosts;
  sim::NetworkMet network;
  std::uint64_t baseline_pages = 0, baselines = 0, claims = 0;
  std::uint64_t acknowledged = 0, calm_drains = 0;
  std::uint64_t in_trouble = 0;  // events that ran while things failed
  std::uint64_t late_told = 0, late_jobs = 0;
  std::uint64_t splits = 0, twin_jobs = 0;  // of canaries
  std::uint64_t replays = 0, replays_done = 0, replays_cancelled = 0, replay_events = 0;
  std::uint64_t reads_broken = 0;           // one of their answers failed

  void add(const Met& other);
  // What every large enough range of seeds has to meet.
  std::vector<std::uint64_t> of_each() const;
};
std::string to_text(const Met& met);

class Simulation final : public sim::Outside {
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
    bool is_known = false;  // the broker of this life was told so
  };
  // Where a host runs.
  struct Place {
    std::string name;
    std::string hash = "v1";  // of the plugin that serves there; empty: none
    std::unique_ptr<sim::Host> process;
    std::uint64_t starts = 0;                          // of processes
    std::vector<std::unique_ptr<sim::Child>> orphans;  // of the process before; the next one waits for them
  };
  // One life of the broker.
  struct Broker {
    Broker(const Life& life, std::uint32_t epoch, sim::Network& network, std::unique_ptr<sim::SimStore> made,
           std::unique_ptr<broker::ShadowReads> reads, std::vector<storage::HostLease> recorded,
           std::int64_t now_ns);
    Config config;
    std::unique_ptr<sim::SimStore> store;
    std::unique_ptr<broker::ShadowReads> reads;
    Scheduler scheduler;
    broker::Saver saver;
    broker::Hosts hosts;
    broker::Publisher publisher;
    broker::Replays replays;
    tracker::ReadBook book;
  };
  struct Held {
    bool paused = false, parked = false;
  };
  struct Baseline {  // as it is stored
    SubjectId scanned_to = 0;
    bool done = false;
    std::map<SubjectId, Sequence> latest;
  };

  // ---- simulation.cpp: the run, and the broker
  void at(std::int64_t delay_ns, sim::Fate::Deed what) { fate_.at(delay_ns, std::move(what)); }
  void broker_at(std::int64_t delay_ns, sim::Fate::Deed what) {  // lost if the broker crashes before
    fate_.at(delay_ns, broker_life_, std::move(what));
  }
  std::int64_t some(std::int64_t low_ns, std::int64_t high_ns) { return fate_.some(low_ns, high_ns); }
  bool chance(double probability) { return fate_.chance(probability); }
  bool in_trouble() const { return fate_.in_trouble(); }
  void run_until(std::int64_t end_ns, const std::function<bool()>& done);
  void heal();
  void walk_source();
  void start_broker();
  void crash_broker();
  void step(std::vector<Input> inputs);
  void flush();
  void check_spin();
  void schedule_tick();
  void violate(Promise promise, std::string what) override;
  bool is_watched() const override { return on_note_ != nullptr; }
  void note(const std::string& what) override;
  void check_bounds();
  std::string unfinished();
  void check_end();
  void perform(const WalkBehind&);
  void perform(const Notice& notice);
  bool is_rewound(TopologyIndex topology, SubjectId subject) const;  // such a command is out

  // ---- store.cpp
  void perform(const SaveCursor& save);
  void take_saves();
  void commit(const storage::WriteBatch& batch);
  void commit(const storage::CursorWrite& write, const std::vector<storage::AuditEntry>& audit);
  void commit_act(const storage::AuditEntry& entry, std::span<const storage::AuditEntry> later,
                  const storage::CursorWrite& write);
  void commit_leases(const storage::WriteBatch& batch);
  const storage::CursorInfo* stored(SubjectId subject) const;
  // As the store gives it; null: nothing. Until the next call, or commit.
  const storage::CursorInfo* loaded(SubjectId subject) const;
  std::optional<storage::CursorInfo> record_for_step(SubjectId subject) const;

  // ---- baseline.cpp: the broker's scan, and what the store makes of it
  std::vector<Input> start_baselines();
  void scan_page(TopologyIndex topology);
  void save_page(TopologyIndex topology, const Baseline& page);
  void commit_page(TopologyIndex topology, const Baseline& page);

  // ---- coverage.cpp: a refresh that only looks, and what it claims
  void start_coverage();
  void walk_for_coverage(SubjectId next);
  void look_for_coverage();
  void hold_claim(const std::string& wrong);

  // ---- tracker.cpp: source and tracker
  const std::string& subject_name(SubjectId subject) const { return names_[subject]; }
  void perform(const PingAgain& again) { ping(again.subject, true); }
  void append();
  void append_to(SubjectId subject);
  bool has_room(SubjectId subject);  // for more that waits
  void ping_behind();
  void ping(SubjectId record, bool must = false, std::uint64_t generation = 0);
  void tell_of(SubjectId subject);  // by whoever pings it
  void pump();
  void begin(tracker::ReadId read);
  void read_source(tracker::ReadId read, const tracker::QueryPlan& plan, std::int64_t travel_ns);
  void answer(tracker::ReadId read, std::vector<SchedulingRequest> answers);
  bool fail_one(std::vector<SchedulingRequest>& answers);
  void read_again(tracker::ReadId read);
  void read_anew(tracker::ReadId read, SubjectId record);
  SchedulingRequest request_for(SubjectId subject, const tracker::PlannedQuery& query, Sequence latest);
  std::optional<SchedulingRequest> lie(SubjectId subject);
  std::vector<TopologyIndex> saved_beyond(SubjectId subject, Sequence latest) const;

  // ---- replays.cpp
  // What a record stands for is its subject at the source. Those of replays have numbers of their own, beyond
  // all subjects; each is of one shadow.
  struct ShadowRecord {
    TopologyIndex shadow = 0;  // the run's
    SubjectId subject = 0;
    bool is_gone = false;
  };
  class ShadowReads;
  std::unique_ptr<broker::ShadowReads> make_shadow_reads();
  void open_replays();
  bool is_shadow(SubjectId record) const { return record > source_.subjects(); }
  SubjectId subject_of(SubjectId record) const;
  DomainIndex domain_of(SubjectId record) const;  // in this life; requires that it has its topology
  SubjectId record_of(DomainIndex domain, std::string_view subject) const;  // 0: there is none
  SubjectId record_of(tracker::ReadId read) const;
  SubjectId shadow_record(TopologyIndex shadow, SubjectId subject) const;  // the same
  sim::SimStore::Reads store_reads();
  std::vector<storage::StoredSubject> stored_range(std::string_view domain, std::string_view after,
                                                   std::size_t limit) const;
  std::optional<child::CallId> scan_for_replay(const std::string& token);
  void turn_to_shadow(std::vector<SchedulingRequest>& answers, SubjectId record, DomainIndex domain);
  void commit_replay(const storage::ReplayPage& page);
  void remove_record(SubjectId record, const storage::Replay& replay);
  void check_replayed(const ShadowRecord& of, const storage::Replay& replay);
  void check_replay(const storage::Replay& replay);
  bool operate_replays();
  void begin_replay();
  void cancel_replay(const std::string& name);
  void act_on_shadow();
  void end_stopped_replays();
  std::string replay_unfinished() const;
  bool runs_on(const sim::EventStart& start, SubjectId record);

  // ---- late.cpp
  void add_look(SubjectId subject, tracker::QueryPlan& plan);
  void note_look(SubjectId subject, const EventBlock& block);
  void look_everywhere();
  void look_on();
  std::string late_unfinished();
  std::string late_unfinished(TopologyIndex topology, SubjectId subject, const storage::CursorInfo& info);

  // ---- hosts.cpp
  void add_place();
  void start_process(sim::PlaceId place);
  sim::HostSpec host_spec(const Place& place, sim::PlaceId number);
  void kill_process(sim::PlaceId place, std::int64_t back_after_ns);
  void drain_process(sim::PlaceId place);
  void look_whether_drained(sim::PlaceId place, std::int64_t back_after_ns);
  void change_plugin(sim::PlaceId place);
  void disturb_hosts();
  void disturb(sim::PlaceId place);
  void from_host(wire::FromHost message);
  void perform(const IssueJob& job);
  void break_downstream();
  void claim_elsewhere(const IssueJob& job);
  sim::EventFate on_start(const sim::EventStart& start) override;
  void on_end(const sim::EventStart& start, OutcomeKind end, bool is_known) override;

  // ---- pings.cpp
  bool is_quiet(SubjectId subject) const;  // pinged by publishers alone who are answered
  void ask(SubjectId subject);
  void send_ping(SubjectId subject);
  void take_ping(SubjectId subject);
  void on_acknowledged(std::uint64_t ack);
  void ping_inbox();
  void commit_inbox(const storage::WriteBatch& batch);

  // ---- drains.cpp
  void drain_in_calm();
  void drain_soon(sim::PlaceId number);
  void check_calm(const sim::EventStart& start);

  // ---- operators.cpp
  void operate();
  void command(Act act, TopologyIndex topology, SubjectId subject, Sequence sequence);
  void pause_whole(TopologyIndex topology, bool paused);
  void end_all_acts();
  void perform(const CancelJob& cancel) { broker_->publisher.cancel(cancel); }
  void perform(const CommandDone& done);
  TopologyView view_of(TopologyIndex topology, SubjectId subject) const;

  // ---- canaries.cpp
  std::optional<Split> split_of(LambdaIndex lambda);
  void move_canary();
  void check_version(const IssueJob& issued);

  SimulationOptions options_;
  SchedulerPlan all_;
  sim::Fate fate_;
  std::uint64_t steps_in_window_ = 0;
  std::int64_t window_ns_ = 0;
  bool is_healed_ = false;

  Source source_;
  std::vector<std::string> names_;  // by subject
  std::vector<bool> is_needed_;     // by lambda: others get its outputs
  Checkers checkers_;
  SimConfig config_;
  Life life_;
  sim::Network network_;
  std::map<SubjectId, Stored> store_;
  mutable storage::CursorInfo with_starts_;           // of the subject that was loaded last
  std::map<std::string, storage::HostLease> leases_;  // that are stored
  std::unique_ptr<Broker> broker_;
  struct Asking {  // of the publisher of a subject
    bool out = false, again = false;
    std::uint64_t attempt = 0;
    Sequence seen = 0;  // the source's latest when it was sent
  };
  std::map<SubjectId, Asking> asking_;
  struct Ack {
    SubjectId subject = 0;
    std::uint64_t attempt = 0;
    Sequence seen = 0;
  };
  std::map<std::uint64_t, Ack> acks_;  // that this life owes
  std::uint64_t last_ack_ = 0, generation_ = 0;
  std::map<std::pair<SubjectId, std::uint64_t>, Sequence> seen_;  // by generation of this life
  struct InboxRow {
    std::uint64_t generation = 0;
    Sequence seen = 0;
  };
  std::map<SubjectId, InboxRow> inbox_;  // as it is stored
  std::vector<Sequence>
      calm_from_;  // by subject: events that came when nothing failed any more; empty: not yet
  std::set<std::tuple<LambdaIndex, SubjectId, Sequence>> began_in_calm_;
  std::map<std::uint64_t, storage::Replay> replays_;         // as they are stored
  std::map<std::uint64_t, std::vector<Sequence>> had_then_;  // by replay: each subject's latest at its begin
  std::map<SubjectId, ShadowRecord> shadow_records_;         // that there ever were
  std::map<DomainIndex, Sequence> shadows_read_;             // in this life, and up to where
  std::map<TopologyIndex, std::uint64_t> shadow_events_;     // of this life, by its topology
  std::set<std::tuple<LambdaIndex, SubjectId, JobId>>
      run_on_;  // of lives before, when their replay had ended
  SubjectId last_record_ = 0;
  child::CallId last_scan_ = 0;
  std::uint32_t epoch_ = 0;
  std::shared_ptr<int> broker_life_;
  std::int64_t tick_ns_ = 0;
  std::uint64_t reads_ = 0;
  std::map<LambdaIndex, std::int64_t> down_until_ns_;
  std::uint64_t outputs_dropped_ = 0;  // as this life counts
  std::unique_ptr<CoverageCheck> coverage_;
  std::int64_t healed_wall_ns_ = 0;
  std::map<TopologyIndex, Baseline> baselines_;  // by the run's topology
  std::set<SubjectId> lied_about_;
  std::map<SubjectId, tracker::Look> looks_;  // how far what was handed out last is read again
  std::set<SubjectId> looks_left_;
  std::map<SubjectId, Sequence> looked_to_;  // by a look that has ended
  std::map<sim::PlaceId, Place> places_;
  sim::PlaceId last_place_ = 0;
  std::uint64_t last_session_ = 0;

  std::map<std::pair<TopologyIndex, SubjectId>, Held> held_;
  std::set<std::pair<TopologyIndex, SubjectId>> went_back_;  // parked for that in this life
  std::set<TopologyIndex> paused_whole_;
  std::map<LambdaIndex, Split> splits_;        // by the run's lambda
  std::map<std::uint64_t, Command> commands_;  // that are out; their topology is the run's
  std::uint64_t last_command_ = 0;

  std::vector<Violation> violations_;
  Met met_;
  std::function<void(const Step&)> on_step_;
  std::function<void(const std::string&)> on_note_;
};

}  // namespace cape::scheduler
