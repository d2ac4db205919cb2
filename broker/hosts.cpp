#include "broker/hosts.hpp"

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace cape::broker {

using scheduler::HostId;
using scheduler::Input;

namespace {

// The session a message speaks for; a hello opens one.
SessionId session_of(const wire::ToBroker& message) {
  return std::visit([](const auto& m) { return m.session; }, message);
}

}  // namespace

Hosts::Hosts(const scheduler::SchedulerPlan& plan, std::uint32_t epoch, wire::BrokerEnd& transport, Saver& saver,
             std::vector<storage::HostLease> recorded, std::int64_t now_ns)
    : plan_(plan), epoch_(epoch), transport_(transport), saver_(saver) {
  // The config may give shorter leases than those that were given.
  for (storage::HostLease& lease : recorded)
    awaited_[lease.host] = now_ns + std::max(plan.lease_ns, lease.lease_ms * ns_per_ms) + plan.kill_ns;
}

void Hosts::on_message(wire::FromHost from, std::int64_t now_ns, std::vector<Input>& inputs) {
  if (auto* hello = std::get_if<wire::HostHello>(&from.message))
    return on_hello(from.peer, std::move(*hello), now_ns, inputs);
  Session* session = find(from.peer, session_of(from.message));
  if (!session) return unknown(from.peer);

  struct Visitor {
    Hosts& hosts;
    Session& session;
    std::vector<Input>& inputs;
    void operator()(wire::HostHello&) {}  // handled above
    void operator()(wire::HostOffers& m) { session.offers = std::move(m.offers); }
    void operator()(wire::HostCredit& m) {
      if (m.lambda >= hosts.plan_.lambdas.size()) {
        ++hosts.stale_;  // a host with another config: it names a lambda we do not have
        return;
      }
      if (session.up)
        inputs.push_back(scheduler::Credit{session.id, m.lambda, m.jobs_max, m.hash, m.trouble});
      session.credit[m.lambda] = std::move(m);
    }
    void operator()(wire::JobStatuses& m) {
      for (wire::JobStatus& status : m.statuses)
        inputs.push_back(scheduler::Status{session.id, std::move(status)});
    }
    void operator()(wire::HostHeartbeat& m) {
      // An answer that cannot be sent now is missed: the host renews with its next one.
      (void)hosts.transport_.send(session.peer, wire::HeartbeatAnswer{session.session, m.sent_ns});
      if (session.up) inputs.push_back(scheduler::Heartbeat{session.id, std::move(m.running)});
    }
    void operator()(wire::HostGoodbye&) { hosts.on_goodbye(session, inputs); }
    void operator()(wire::HostReport& m) { session.report = std::move(m); }
  };
  std::visit(Visitor{*this, *session, inputs}, from.message);
}

void Hosts::on_hello(wire::PeerId peer, wire::HostHello hello, std::int64_t, std::vector<Input>& inputs) {
  if (hello.session == 0 || hello.host.empty()) return unknown(peer);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (at->second.name != hello.host) {
      ++at;
      continue;
    }
    if (at->second.session == hello.session) return;  // said twice
    if (at->second.up) inputs.push_back(scheduler::HostGone{at->first});
    at = sessions_.erase(at);
  }
  const HostId id = next_id_++;
  log::info("broker", "host '{}' says hello with {} plugins", printable(hello.host, 64), hello.offers.size());
  saver_.put_lease({.host = hello.host, .session = hello.session, .lease_ms = plan_.lease_ns / ns_per_ms});
  sessions_[id] = {.peer = peer,
                   .id = id,
                   .session = hello.session,
                   .name = std::move(hello.host),
                   .offers = std::move(hello.offers),
                   .credit = {},
                   .report = {}};
  awaited_.erase(sessions_[id].name);
}

void Hosts::on_lease_saved(const std::string& host, std::int64_t now_ns, std::vector<Input>& inputs) {
  for (auto& [id, session] : sessions_)
    if (session.name == host) session.recorded = true;
  step(now_ns, inputs);
  bring_up_all(inputs);
}

void Hosts::step(std::int64_t now_ns, std::vector<Input>& inputs) {
  if (awaited_.empty()) return;
  std::erase_if(awaited_, [&](const auto& entry) {
    if (now_ns < entry.second) return false;
    log::warning("broker", "host '{}' of an earlier start did not come back; its lease has passed", printable(entry.first, 64));
    saver_.remove_lease(entry.first);
    return true;
  });
  bring_up_all(inputs);
}

std::optional<std::int64_t> Hosts::next_deadline() const {
  std::optional<std::int64_t> next;
  for (const auto& [name, at] : awaited_) next = next ? std::min(*next, at) : at;
  return next;
}

void Hosts::bring_up_all(std::vector<Input>& inputs) {
  if (!awaited_.empty()) return;
  for (auto& [id, session] : sessions_)
    if (session.recorded && !session.up) bring_up(session, inputs);
}

void Hosts::bring_up(Session& session, std::vector<Input>& inputs) {
  const wire::BrokerWelcome welcome{epoch_, session.session, plan_.lease_ns / ns_per_ms};
  if (!transport_.send(session.peer, welcome)) return;  // gone or full: it will say hello again
  session.up = true;
  inputs.push_back(scheduler::HostUp{session.id, session.name});
  for (const auto& [lambda, credit] : session.credit)
    inputs.push_back(scheduler::Credit{session.id, lambda, credit.jobs_max, credit.hash, credit.trouble});
}

void Hosts::on_goodbye(Session& session, std::vector<Input>& inputs) {
  log::info("broker", "host '{}' says goodbye", printable(session.name, 64));
  saver_.remove_lease(session.name);
  if (session.up) inputs.push_back(scheduler::HostGone{.host = session.id, .clean = true});
  sessions_.erase(session.id);
}

void Hosts::on_lost(HostId host) { sessions_.erase(host); }

Hosts::Session* Hosts::find(wire::PeerId peer, SessionId session) {
  for (auto& [id, s] : sessions_)
    if (s.peer == peer && s.session == session) return &s;
  return nullptr;
}

void Hosts::unknown(wire::PeerId peer) {
  ++stale_;
  (void)transport_.send(peer, wire::HelloPlease{});  // if it does not arrive, its next message asks again
}

std::optional<wire::PeerId> Hosts::peer(HostId host) const {
  auto at = sessions_.find(host);
  if (at == sessions_.end()) return std::nullopt;
  return at->second.peer;
}

void Hosts::drain_all() {
  for (const auto& [id, session] : sessions_)
    if (!transport_.send(session.peer, wire::DrainHost{}))
      log::warning("broker", "host '{}' cannot be asked to drain now", printable(session.name, 64));
}

std::vector<std::string> Hosts::awaited() const {
  std::vector<std::string> names;
  for (const auto& [name, at] : awaited_) names.push_back(name);
  return names;
}

}  // namespace cape::broker
