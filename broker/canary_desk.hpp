// broker/canary_desk.hpp
// CanaryDesk carries out what each lambda's Canary decides: it shows it what hosts have and how jobs end,
// stores its record, and once that is on disk tells the scheduler which subjects have which version, and the
// hosts which bytes serve. It answers `cape plugin promote` and `rollback`. Thread: broker loop only.
//
//   Hosts' offers, Scheduler::outcomes(), time ─▶ Canary ─▶ record ─▶ Saver, synced ─▶ Split, ServeVersions
//
// A slot gets other bytes only when no job of the old ones is in flight: until then nobody has the candidate.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "broker/admin_server.hpp"
#include "broker/canary.hpp"
#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/scheduler.hpp"

namespace cape::broker {

struct BrokerState;

class CanaryDesk {
 public:
  static constexpr std::size_t requests_max = 64;  // that wait for the store

  explicit CanaryDesk(BrokerState& broker) : b_(broker) {}  // which must outlive it

  // What the store holds at start. Appends what the scheduler must know.
  void open(std::vector<storage::Canary> stored, Now now, std::vector<scheduler::Input>& inputs);
  void on_outcomes(std::span<const scheduler::JobOutcome> outcomes);
  void step(Now now, std::vector<scheduler::Input>& inputs);
  void on_saved(std::uint64_t token, bool is_stored, const std::optional<Error>& error);
  std::optional<std::int64_t> next_deadline() const;

  // {"act": "promote" | "rollback", "plugin", "topology" (all of them if absent), "reason", "dry_run"}.
  // nullopt: take_answers() will have the reply.
  std::optional<wire::AdminReply> begin(const nlohmann::json& body, AdminTicket ticket, Now now);
  struct Answer {
    AdminTicket ticket;
    wire::AdminReply reply;
  };
  std::vector<Answer> take_answers() { return std::exchange(answers_, {}); }

  // Of the topology's lambdas that have a canary; docs/protocol.md has the fields.
  nlohmann::json rows_of(TopologyIndex topology, std::int64_t now_ns) const;
  // What hosts were told to run, of a lambda that has a canary: its slot and its twin, each with the hash of its
  // bytes, or none. Empty: hosts choose by themselves.
  std::map<LambdaIndex, std::string> told_of(LambdaIndex lambda) const;
  // What a plugin's bytes are in each lambda: "stable", "candidate 5%", "rolled back"; no entry: nothing.
  std::map<std::string, std::string> roles_of(const std::string& plugin, const std::string& hash) const;

 private:
  struct Tried {
    LambdaIndex lambda = 0, twin = 0;
    std::optional<LambdaIndex> shadow;  // of its replays
    Canary canary;
    storage::Canary stored;                  // on disk
    std::string slot_hash, twin_hash;        // what hosts were told last
    std::optional<scheduler::Split> split;   // what the scheduler was told last
    bool in_effect = false;                  // all of `stored` is
    bool is_dirty = false;                   // the record is another one than was given to the store
    std::uint64_t token = 0;                 // of the write that is out; 0: none is
    storage::Canary written;                 // by that write
    std::vector<storage::AuditEntry> audit;  // of operators, for the next write
    std::vector<std::uint64_t> asked,
        asked_of_write;  // requests that wait for the next write, and for that one
  };
  struct Request {
    AdminTicket ticket;
    std::string body;      // of the reply
    std::size_t left = 0;  // lambdas whose record is not on disk
  };
  struct Done {
    Tried* tried = nullptr;
    std::string verdict;
  };
  nlohmann::json row_of(const Tried& tried, std::int64_t now_ns) const;
  std::vector<VersionSeen> seen_of(const std::string& plugin) const;
  void look(Now now);
  void take_news(Tried& tried);
  void write(Tried& tried);
  void take_effect(Tried& tried, Now now, std::vector<scheduler::Input>& inputs);
  void tell_hosts(std::vector<scheduler::Input>& inputs);
  LambdaIndex slot_of_candidate(const Tried& tried) const;
  std::optional<wire::AdminReply> answer_to(const nlohmann::json& body, AdminTicket ticket,
                                            std::vector<Done> done, const std::string& refusal);

  BrokerState& b_;
  std::vector<Tried> tried_;
  std::int64_t look_ns_ = 0;       // boot time of the next look at what hosts have
  std::uint64_t offers_seen_ = 0;  // Hosts::offers_number() at the last one
  std::uint64_t last_token_ = 0, last_request_ = 0;
  std::int64_t retry_ns_ = 0;  // boot time at which what could not be stored is tried again
  bool hosts_due_ = false;     // they have yet to be told
  std::map<std::uint64_t, Request> requests_;
  std::vector<Answer> answers_;
};

}  // namespace cape::broker
