// tests/sim/host.hpp
// Host is one life of a simulated host process: the real Worker and the real Session, with simulated children
// and the simulated network where a HostLoop has processes and sockets. Its turn does what
// host/worker/loop.hpp does. It may hang: then nothing of it moves while its children run on.
//
// It watches its own decisions, as the broker cannot: never more jobs than it gives credit for, one final
// status for each job that arrived, which says that an event began if one did, no job in two children at
// once, and none behind a slow event while another child could have it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/worker/session.hpp"
#include "host/worker/worker.hpp"
#include "tests/sim/child.hpp"
#include "tests/sim/fate.hpp"
#include "tests/sim/outside.hpp"

namespace cape::sim {

struct HostSpec {
  std::string name;
  std::uint64_t home = 1;
  std::vector<wire::HostLambda> lambdas;  // of its config
  std::vector<LambdaIndex> lambda_of;     // the run's, by its own
  host::WorkerPlan plan;
  std::uint32_t jobs_max = 0;  // of all lambdas at once; 0: no bound
  std::int64_t lease_ns = 0, kill_ns = 0;
  std::string hash;                 // of the plugin that serves; empty: none does
  std::uint64_t first_session = 1;  // later ones follow it
};

struct HostMet {
  std::uint64_t sessions = 0, child_starts = 0, take_backs = 0, kills = 0, cancels = 0, fenced = 0,
                drained = 0, ring_full = 0;
  void add(const HostMet& other);
};

class Host {
 public:
  // Borrows all of it. `end` belongs to this life.
  Host(Fate& fate, Outside& outside, std::unique_ptr<wire::HostEnd> end, HostSpec spec, HostMet& met);

  void wake();  // something came
  void hang(std::int64_t for_ns) { hangs_until_ns_ = fate_.now_ns() + for_ns; }
  void serve(std::string hash);
  void drain();
  bool has_ended() const { return ended_; }  // it was drained and has said goodbye
  // What is left when its process is killed: they follow it soon.
  std::vector<std::unique_ptr<Child>> die();

 private:
  void turn();
  void turn_at(std::int64_t at_ns);
  void check_spin();
  void receive();
  void take(const wire::BrokerWelcome& welcome) { renew_lease(session_.take(welcome)); }
  void take(const wire::RunJobs& jobs);
  void take(const wire::CancelJob& cancel);
  void take(const wire::HeartbeatAnswer& answer) { renew_lease(session_.take(answer)); }
  void take(const wire::HelloPlease& please);
  void take(const wire::HostPins&) {}  // it has one version of its plugin
  void take(const wire::ServeVersions&) {}  // its lambdas have no canary
  void take(const wire::DrainHost&) { inputs_.emplace_back(host::DrainAsked{}); }
  void renew_lease(std::optional<std::int64_t> end_ns);
  void set_lease_end(std::int64_t end_ns);
  void poll(host::ChildId id);
  void poll_rung();
  void note_end(const wire::JobStatus& status);
  void gather();
  void look();
  void decide_and_do();
  void finish_turn();
  std::int64_t next_ns() const;
  bool any_starting() const;
  void check_isolation();
  bool is_free_beside(const Child& slow) const;

  void perform(const host::StartChild& action);
  void perform(const host::GiveJob& action);
  void perform(const host::TakeBack& action);
  void perform(const host::CancelChild& action);
  void perform(host::KillChild& action);
  void perform(const host::StopChild& action);
  void perform(host::ReportStatus& action);
  void perform(host::ReportCredit& action);
  void perform(const host::ReportQuiet&) { begin_session(); }
  void perform(const host::ReportDrained&) { drained_ = true; }
  void begin_session();
  std::vector<wire::PluginOffer> offers() const;
  Child* find(host::ChildId id);

  Fate& fate_;
  Outside& outside_;
  HostMet& met_;
  std::unique_ptr<wire::HostEnd> end_;
  HostSpec spec_;
  host::Worker worker_;
  host::Session session_;
  std::map<host::ChildId, std::unique_ptr<Child>> children_;
  std::set<host::ChildId> rung_;
  std::map<host::ChildId, std::int64_t> moved_ns_;  // when it was heard of last to have ended a job
  std::vector<host::ChildId> taken_back_;
  std::vector<host::Input> inputs_;
  std::vector<wire::JobStatus> statuses_;
  struct HeldHere {
    LambdaIndex lambda = 0;
    host::ChildId child = 0;  // 0: it waits
    Sequence failed = 0;      // began and failed, as its child told
  };
  std::map<JobId, HeldHere> held_;      // arrived in this session, no status yet
  std::vector<std::uint32_t> held_of_;  // by lambda
  std::int64_t lease_end_ns_ = 0, looked_ns_ = 0, hangs_until_ns_ = 0, turn_ns_ = 0, send_pause_ns_ = 0;
  std::int64_t window_ns_ = 0;
  std::uint64_t turns_in_window_ = 0;
  std::optional<std::int64_t> worker_next_ns_;  // its deadline, since its last step
  bool drained_ = false, ended_ = false;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);
};

}  // namespace cape::sim
