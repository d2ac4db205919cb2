// broker/replay_desk.hpp
// ReplayDesk answers `cape replay`: begin, cancel, list, and what a replay would run. Begun and cancelled are
// answered when they are on disk; a dry run is one page of the source's subjects, and says from where to go
// on. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "broker/admin_server.hpp"
#include "broker/replays.hpp"
#include "host/child/source_child.hpp"

namespace cape::broker {

struct BrokerState;

class ReplayDesk {
 public:
  static constexpr std::size_t dry_runs_max = 4;  // that wait for a source

  explicit ReplayDesk(BrokerState& broker) : b_(broker) {}

  // nullopt: take_answers() will have the reply.
  std::optional<wire::AdminReply> begin(const nlohmann::json& body, AdminTicket ticket);
  // False: the answer was asked for by somebody else.
  bool on_scan(DomainIndex source, const child::ScanAnswer& answer);
  void on_source_lost(DomainIndex source);
  void take_stored();  // from Replays, to those who wait

  struct Answer {
    AdminTicket ticket;
    wire::AdminReply reply;
  };
  std::vector<Answer> take_answers();

  // Why an act of an operator may not be done in a shadow; nullopt: it may, or is none of one.
  std::optional<Error> refusal_of_act(const nlohmann::json& body) const;

 private:
  struct DryRun {
    AdminTicket ticket;
    Replays::Asked asked;
    DomainIndex source = 0;
    child::CallId call;
  };
  Result<Replays::Asked> understand(const nlohmann::json& body) const;
  std::optional<wire::AdminReply> start(const nlohmann::json& body, AdminTicket ticket);
  std::optional<wire::AdminReply> dry_run(const Replays::Asked& asked, const std::string& after,
                                          AdminTicket ticket);
  wire::AdminReply list() const;
  wire::AdminReply told_of(std::uint64_t id, bool cancelled) const;

  BrokerState& b_;
  std::vector<DryRun> dry_runs_;
  struct Waiting {
    AdminTicket ticket;
    bool cancel = false;
  };
  std::map<std::uint64_t, Waiting> waiting_;  // by id of the replay
  std::vector<Answer> answers_;
};

}  // namespace cape::broker
