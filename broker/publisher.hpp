// broker/publisher.hpp
// Publisher hands jobs to worker hosts, those of one turn to one host in one message. It chooses nothing: the
// scheduler has already named the host. Thread: broker loop only.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "broker/hosts.hpp"
#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/plan.hpp"
#include "wire/transport.hpp"

namespace cape::broker {

class Publisher {
 public:
  // All of them must outlive it.
  Publisher(const scheduler::SchedulerPlan& plan, const Hosts& hosts, wire::BrokerEnd& transport);

  void add(scheduler::IssueJob job);
  void cancel(const scheduler::CancelJob& job);
  // Sends what was added. A job that could not be sent has not run: it comes back as a status that says so.
  void flush(std::vector<scheduler::Input>& not_sent);

 private:
  void send(scheduler::HostId host, std::span<wire::RunJob> jobs, std::vector<scheduler::Input>& not_sent);

  const scheduler::SchedulerPlan& plan_;
  const Hosts& hosts_;
  wire::BrokerEnd& transport_;
  std::map<scheduler::HostId, std::vector<wire::RunJob>> jobs_;
};

}  // namespace cape::broker
