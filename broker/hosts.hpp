// broker/hosts.hpp
// Hosts keeps the sessions of worker hosts: hello, offers, credit, heartbeat, goodbye. A session takes jobs
// only after its lease is on disk, and none does after a broker start until every host recorded before has
// said hello in this epoch (so that nothing of an older epoch runs there) or its lease has surely passed.
// A host speaks of lambdas by the places in its own config; here they become ours. At most `sessions_max`
// sessions: a further hello is not answered. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/saver.hpp"
#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/plan.hpp"
#include "wire/transport.hpp"

namespace cape::broker {

class Hosts {
 public:
  static constexpr std::size_t sessions_max = 256;

  // `recorded`: what the store held at start. Borrowed values must outlive it.
  Hosts(const scheduler::SchedulerPlan& plan, std::uint32_t epoch, wire::BrokerEnd& transport, Saver& saver,
        std::vector<storage::HostLease> recorded, std::int64_t now_ns);

  // Appends what the scheduler must know.
  void on_message(wire::FromHost message, std::int64_t now_ns, std::vector<scheduler::Input>& inputs);
  void on_lease_saved(const storage::HostLease& lease, std::int64_t now_ns,
                      std::vector<scheduler::Input>& inputs);
  void step(std::int64_t now_ns, std::vector<scheduler::Input>& inputs);  // opens the gate when it is time
  std::optional<std::int64_t> next_deadline() const;
  // The scheduler gave it up: it must say hello anew before it gets work.
  void on_lost(scheduler::HostId host);

  // Tells every host which bytes of a plugin serve. One that cannot be told now is told at its next heartbeat,
  // one that comes later before its first job.
  void set_pins(std::vector<wire::PluginPin> pins);
  // By our index: the bytes that are to serve a lambda with a canary, its twin and its replays; empty: none.
  // Credit for other bytes is none. Tells every host that has such lambdas; one that cannot be told now is
  // told at its next heartbeat, one that comes later before its first job.
  void set_versions(std::map<LambdaIndex, std::string> versions, std::vector<scheduler::Input>& inputs);
  // Rises whenever what hosts offer, or have set aside, may be something else.
  std::uint64_t offers_number() const { return offers_number_; }

  void drain_all();  // asks every host to finish and say goodbye; no hello is taken from now on
  bool none() const { return sessions_.empty(); }

  struct Session {
    wire::PeerId peer = 0;
    scheduler::HostId id = 0;
    SessionId session = 0;
    std::string name;            // for people
    std::string key;             // of its lease: name and home
    bool recorded = false;       // its lease is on disk
    bool up = false;             // the scheduler knows it
    std::uint64_t pins_told = 0;  // as pins_number_ counts
    std::uint64_t versions_told = 0;  // as versions_number_ counts
    bool chooses_itself = false;  // its config has a canary that ours lacks: it is told to take the newest
    std::uint32_t jobs_max = 0;  // that it takes in all; 0: what it takes of each lambda
    std::int64_t heard_ns = 0;
    std::vector<std::optional<LambdaIndex>> ours;  // by its index: our lambda of that name
    std::map<LambdaIndex, LambdaIndex> its;        // the other way round
    std::vector<wire::PluginOffer> offers;
    HostLabels labels;
    std::map<LambdaIndex, wire::HostCredit> credit;  // by our index
    wire::HostReport report;                         // lambdas by our index
  };
  const Session* find(scheduler::HostId host) const;
  const std::map<scheduler::HostId, Session>& sessions() const { return sessions_; }
  std::uint64_t stale() const { return stale_; }
  std::vector<std::string> awaited() const;  // hosts the gate waits for

 private:
  struct Visitor;
  void on_hello(wire::PeerId peer, wire::HostHello hello, std::int64_t now_ns,
                std::vector<scheduler::Input>& inputs);
  static std::string key_of(const wire::HostHello& hello);
  void warn_of_namesakes(const std::string& name) const;
  void map_lambdas(Session& session, const std::vector<wire::HostLambda>& lambdas) const;
  std::optional<std::string> version_mistake(const wire::HostCredit& credit) const;
  scheduler::Credit credit_of(const Session& session, const wire::HostCredit& credit) const;
  void forget_silent(std::int64_t now_ns);
  void tell_of_earlier_jobs(std::vector<scheduler::Input>& inputs);
  void on_goodbye(Session& session, std::vector<scheduler::Input>& inputs);
  void bring_up(Session& session, std::vector<scheduler::Input>& inputs);
  bool tell_pins(Session& session);
  bool tell_versions(Session& session);
  void bring_up_all(std::vector<scheduler::Input>& inputs);
  Session* find(wire::PeerId peer, SessionId session);
  void unknown(wire::PeerId peer, SessionId session);

  const scheduler::SchedulerPlan& plan_;
  std::uint32_t epoch_;
  wire::BrokerEnd& transport_;
  Saver& saver_;
  std::map<scheduler::HostId, Session> sessions_;
  std::map<std::string, std::int64_t> awaited_;  // host name -> when its lease has surely passed
  bool said_may_run_ = false;                    // that jobs of an earlier life may
  std::vector<wire::PluginPin> pins_;
  std::uint64_t pins_number_ = 1;  // rises with each change
  std::map<LambdaIndex, std::string> versions_;
  std::uint64_t versions_number_ = 1;  // rises with each change
  std::uint64_t offers_number_ = 0;
  scheduler::HostId next_id_ = 1;
  bool draining_ = false;
  std::uint64_t stale_ = 0;
};

}  // namespace cape::broker
