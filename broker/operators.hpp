// broker/operators.hpp
// Operators carries out what people ask of the running broker: pause, resume, park, redrive, skip, rewind.
// A request becomes commands to the scheduler, and is answered when all of them are on disk. One over the
// subjects of a whole topology is done page by page: the answer says from where to go on, so that none holds
// the broker up and whoever asked sees how far it is. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "broker/admin_server.hpp"
#include "broker/saver.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/subjects.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

class Operators {
 public:
  static constexpr std::size_t subjects_per_page = 256;
  static constexpr std::size_t requests_max = 64;  // that wait for the store or for jobs to end

  // All borrowed; they must outlive it.
  Operators(const Config& config, const scheduler::SchedulerPlan& plan, const scheduler::Scheduler& scheduler,
            Subjects& subjects, storage::CursorStore& store, Saver& saver);

  // Begins the request `body`. The inputs must be stepped before anything else is: what was found of their
  // subjects is true until then. nullopt: take_answers() will have the reply.
  struct Begun {
    std::optional<wire::AdminReply> reply;
    std::vector<scheduler::Input> inputs;
  };
  Begun begin(const nlohmann::json& body, AdminTicket ticket);

  void on_done(const scheduler::CommandDone& done);
  // The pause or the end of one that put_pause() was given is on disk, or `error`.
  void on_pause_saved(std::uint64_t token, const std::optional<Error>& error);

  struct Answer {
    AdminTicket ticket;
    wire::AdminReply reply;
  };
  std::vector<Answer> take_answers();

 private:
  struct Asked {  // a request as it was understood
    scheduler::Act act = scheduler::Act::pause;
    TopologyIndex topology = 0;
    std::vector<TopologyIndex> topologies;  // that one, and with_dependants those behind it
    std::optional<std::string> subject;     // empty: of all subjects
    Sequence sequence = 0;
    std::string reason;
    bool dry_run = false;
    std::string after;  // of a page: the last subject of the one before
  };
  struct Row {
    std::string subject;
    TopologyIndex topology = 0;
    std::uint64_t command = 0;
    std::string refusal;
    Sequence from = 0, to = 0;
    std::uint32_t jobs_to_cancel = 0;
  };
  struct Request {
    AdminTicket ticket;
    Asked asked;
    std::vector<Row> rows;
    std::size_t outstanding = 0;
    std::optional<std::string> next;  // a page: there may be more behind this subject
  };

  Result<Asked> understand(const nlohmann::json& body) const;
  Begun pause_whole(const Asked& asked, AdminTicket ticket);
  Result<std::vector<storage::StoredSubject>> page_of(const Asked& asked, std::optional<std::string>& next);
  bool concerns(const Asked& asked, const storage::StoredSubject& stored) const;
  Result<void> add_subject(Request& request, const std::string& subject,
                           std::vector<scheduler::Input>& inputs);
  wire::AdminReply reply_of(const Request& request) const;

  const Config& config_;
  const scheduler::SchedulerPlan& plan_;
  const scheduler::Scheduler& scheduler_;
  Subjects& subjects_;
  storage::CursorStore& store_;
  Saver& saver_;
  std::uint64_t last_id_ = 0;                          // of commands and of whole pauses
  std::map<std::uint64_t, Request> requests_;          // by the first id given for it
  std::map<std::uint64_t, std::uint64_t> of_command_;  // command to request
  struct WholePause {
    AdminTicket ticket;
    Asked asked;
  };
  std::map<std::uint64_t, WholePause> whole_pauses_;  // by token
  std::vector<Answer> answers_;
};

}  // namespace cape::broker
