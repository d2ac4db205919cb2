#include "broker/hosts.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "core/log.hpp"

namespace cape::broker {

using scheduler::HostId;
using scheduler::Input;

namespace {

// The session a message speaks for; a hello opens one.
SessionId session_of(const wire::ToBroker& message) {
  return std::visit([](const auto& m) { return m.session; }, message);
}

// Empty: the host has all of them.
std::string missing_label(const HostLabels& has, const HostLabels& where) {
  for (const auto& [name, value] : where) {
    const auto at = has.find(name);
    if (at != has.end() && at->second == value) continue;
    const std::string its =
        at == has.end() ? "no such label" : fmt::format("\"{}\"", printable(at->second, 64));
    return fmt::format("the lambda asks for a host with {} = \"{}\", this one has {}", name, value, its);
  }
  return {};
}

}  // namespace

Hosts::Hosts(const scheduler::SchedulerPlan& plan, std::uint32_t epoch, wire::BrokerEnd& transport,
             Saver& saver, std::vector<storage::HostLease> recorded, std::int64_t now_ns)
    : plan_(plan), epoch_(epoch), transport_(transport), saver_(saver) {
  // The config may give shorter leases than those that were given.
  for (storage::HostLease& lease : recorded)
    awaited_[lease.host] = now_ns + std::max(plan.lease_ns, lease.lease_ms * ns_per_ms) + plan.kill_ns;
}

// Only a host's own home speaks for it: a namesake's hello says nothing about its jobs.
std::string Hosts::key_of(const wire::HostHello& hello) {
  return fmt::format("{}@{:016x}", hello.host, hello.home);
}

// What a message of a known session means.
struct Hosts::Visitor {
  Hosts& hosts;
  Session& session;
  std::vector<Input>& inputs;

  std::optional<LambdaIndex> ours(LambdaIndex its) const {
    return its < session.ours.size() ? session.ours[its] : std::nullopt;
  }
  void operator()(wire::HostHello&) {}  // taken by on_hello
  void operator()(wire::HostOffers& m) {
    session.offers = std::move(m.offers);
    ++hosts.offers_number_;
  }
  void operator()(wire::HostCredit& m) {
    const auto lambda = ours(m.lambda);
    if (!lambda) return;  // of its config alone
    m.lambda = *lambda;
    if (session.up) inputs.push_back(hosts.credit_of(session, m));
    session.credit[*lambda] = std::move(m);
  }
  void operator()(wire::JobStatuses& m) {
    for (wire::JobStatus& status : m.statuses)
      inputs.push_back(scheduler::Status{session.id, std::move(status)});
  }
  void operator()(wire::HostHeartbeat& m) {
    // An answer that cannot be sent now is missed: the host renews with its next one.
    (void)hosts.transport_.send(session.peer, wire::HeartbeatAnswer{session.session, m.sent_ns});
    if (!session.up) return hosts.bring_up_all(inputs);  // its welcome may have found the queue full
    hosts.tell_pins(session);
    hosts.tell_versions(session);
    inputs.push_back(scheduler::Heartbeat{session.id, std::move(m.running)});
  }
  void operator()(wire::HostGoodbye&) { hosts.on_goodbye(session, inputs); }
  void operator()(wire::HostReport& m) {
    const auto into_ours = [&](auto& of_lambdas) {
      std::erase_if(of_lambdas, [&](const auto& one) { return !ours(one.lambda); });
      for (auto& one : of_lambdas) one.lambda = *ours(one.lambda);
    };
    into_ours(m.children);
    into_ours(m.metrics);
    session.report = std::move(m);
    ++hosts.offers_number_;  // of what it has set aside
  }
};

void Hosts::on_message(wire::FromHost from, std::int64_t now_ns, std::vector<Input>& inputs) {
  if (auto* hello = std::get_if<wire::HostHello>(&from.message))
    return on_hello(from.peer, std::move(*hello), now_ns, inputs);
  Session* session = find(from.peer, session_of(from.message));
  if (!session) return unknown(from.peer, session_of(from.message));
  session->heard_ns = now_ns;
  std::visit(Visitor{*this, *session, inputs}, from.message);
}

void Hosts::on_hello(wire::PeerId peer, wire::HostHello hello, std::int64_t now_ns,
                     std::vector<Input>& inputs) {
  if (draining_) return;  // it comes back with the broker after us
  if (hello.session == 0 || hello.home == 0 || hello.host.empty()) return unknown(peer, hello.session);
  const std::string key = key_of(hello);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (at->second.key != key) {
      ++at;
      continue;
    }
    if (at->second.session == hello.session) return;  // said twice
    if (at->second.up) inputs.push_back(scheduler::HostGone{at->first});
    at = sessions_.erase(at);
  }
  if (sessions_.size() >= sessions_max) {
    log::warning("broker", "host '{}' is not taken: {} hosts are here, more are not served",
                 printable(hello.host, 64), sessions_max);
    return;
  }
  const HostId id = next_id_++;
  log::info("broker", "host '{}' says hello with {} plugins", printable(hello.host, 64), hello.offers.size());
  warn_of_namesakes(hello.host);
  saver_.put_lease({.host = key, .session = hello.session, .lease_ms = plan_.lease_ns / ns_per_ms});
  Session& session = sessions_[id];
  session.peer = peer;
  session.id = id;
  session.session = hello.session;
  session.name = std::move(hello.host);
  session.key = key;
  session.jobs_max = hello.jobs_max;
  session.heard_ns = now_ns;
  session.offers = std::move(hello.offers);
  session.labels = std::move(hello.labels);
  map_lambdas(session, hello.lambdas);
  awaited_.erase(key);
  ++offers_number_;
}

// They are served as two; people who read of them cannot tell which is meant.
void Hosts::warn_of_namesakes(const std::string& name) const {
  if (std::ranges::none_of(sessions_, [&](const auto& entry) { return entry.second.name == name; })) return;
  log::warning("broker", "two hosts are named '{}': give each a name of its own with --name or in [host]",
               printable(name, 64));
}

// Two files may hold the same lambdas in another order, or one of them fewer.
void Hosts::map_lambdas(Session& session, const std::vector<wire::HostLambda>& lambdas) const {
  for (const wire::HostLambda& theirs : lambdas) {
    const auto at = std::ranges::find_if(plan_.lambdas, [&](const scheduler::LambdaSpec& spec) {
      const scheduler::TopologySpec& topology = plan_.topologies[spec.topology];
      return spec.is_twin == theirs.twin && spec.name == theirs.name && spec.plugin == theirs.plugin &&
             topology.name == theirs.topology && plan_.domains[topology.domain] == theirs.domain;
    });
    const auto its = static_cast<LambdaIndex>(session.ours.size());
    session.ours.emplace_back();
    if (at == plan_.lambdas.end()) {
      session.chooses_itself |= theirs.twin;
      if (theirs.twin || is_shadow(theirs.topology)) continue;  // told of its topology
      log::warning(
          "broker",
          "host '{}' has a lambda {}.{} of plugin {} in domain {}, which is not in the broker's config",
          printable(session.name, 64), printable(theirs.topology, 64), printable(theirs.name, 64),
          printable(theirs.plugin, 64), printable(theirs.domain, 64));
      continue;
    }
    session.ours.back() = static_cast<LambdaIndex>(at - plan_.lambdas.begin());
    session.its[*session.ours.back()] = its;
  }
}

// Why credit of a lambda with a canary is none, in words unless that is as it should be; nullopt: it counts.
std::optional<std::string> Hosts::version_mistake(const wire::HostCredit& credit) const {
  const auto version = versions_.find(credit.lambda);
  if (version == versions_.end()) return std::nullopt;
  if (version->second.empty()) {
    const auto twin = plan_.lambdas[credit.lambda].twin;
    const auto other = twin ? versions_.find(*twin) : versions_.end();
    if (other != versions_.end() && !other->second.empty()) return "";  // that slot has what serves
    return credit.trouble.empty() ? "no host has said yet which version it has" : credit.trouble;
  }
  if (credit.hash.empty() || credit.hash == version->second) return std::nullopt;
  return "it runs another version than the one that serves; if that lasts, give broker and host the same "
         "cape.toml";
}

// Credit for a lambda that wants another host, or for bytes that the host does not offer, is none.
scheduler::Credit Hosts::credit_of(const Session& session, const wire::HostCredit& credit) const {
  if (std::string missing = missing_label(session.labels, plan_.lambdas[credit.lambda].where);
      !missing.empty())
    return {session.id, credit.lambda, 0, "", std::move(missing)};
  if (std::optional<std::string> mistake = version_mistake(credit))
    return {session.id, credit.lambda, 0, "", std::move(*mistake)};
  const std::string& plugin = plan_.lambdas[credit.lambda].plugin;
  const bool offered =
      credit.hash.empty() || std::ranges::any_of(session.offers, [&](const wire::PluginOffer& offer) {
        return offer.id == plugin && offer.hash == credit.hash;
      });
  if (offered) return {session.id, credit.lambda, credit.jobs_max, credit.hash, credit.trouble};
  return {session.id, credit.lambda, 0, "", "it does not offer the plugin it gives credit for"};
}

// An older session's says nothing: it may have been removed again since.
void Hosts::on_lease_saved(const storage::HostLease& lease, std::int64_t now_ns, std::vector<Input>& inputs) {
  for (auto& [id, session] : sessions_)
    if (session.key == lease.host && session.session == lease.session) session.recorded = true;
  step(now_ns, inputs);
  bring_up_all(inputs);
}

void Hosts::step(std::int64_t now_ns, std::vector<Input>& inputs) {
  forget_silent(now_ns);
  tell_of_earlier_jobs(inputs);
  if (awaited_.empty()) return;
  std::erase_if(awaited_, [&](const auto& entry) {
    if (now_ns < entry.second) return false;
    log::warning("broker", "host '{}' of an earlier start did not come back; its lease has passed",
                 printable(entry.first, 96));
    saver_.remove_lease(entry.first);
    return true;
  });
  tell_of_earlier_jobs(inputs);
  bring_up_all(inputs);
}

void Hosts::tell_of_earlier_jobs(std::vector<Input>& inputs) {
  const bool may_run = !awaited_.empty();
  if (std::exchange(said_may_run_, may_run) != may_run) inputs.push_back(scheduler::EarlierJobs{may_run});
}

// Those that are up are watched by the scheduler.
void Hosts::forget_silent(std::int64_t now_ns) {
  std::erase_if(sessions_, [&](const auto& entry) {
    const Session& session = entry.second;
    if (session.up || now_ns - session.heard_ns <= plan_.lease_ns + plan_.kill_ns) return false;
    saver_.remove_lease(session.key);
    return true;
  });
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
  if (!tell_pins(session)) return;
  if (!tell_versions(session)) return;
  const wire::BrokerWelcome welcome{epoch_, session.session, plan_.lease_ns / ns_per_ms};
  if (!transport_.send(session.peer, welcome)) return;  // full: again at its next heartbeat; or gone
  session.up = true;
  inputs.push_back(scheduler::HostUp{session.id, session.name, session.jobs_max});
  for (const auto& [lambda, credit] : session.credit) inputs.push_back(credit_of(session, credit));
}

// What is pinned is known there before a job is.
bool Hosts::tell_pins(Session& session) {
  if (session.pins_told == pins_number_) return true;
  if (!transport_.send(session.peer, wire::HostPins{session.session, pins_})) return false;
  session.pins_told = pins_number_;
  return true;
}

void Hosts::set_pins(std::vector<wire::PluginPin> pins) {
  pins_ = std::move(pins);
  ++pins_number_;
  for (auto& [id, session] : sessions_)
    if (session.up) tell_pins(session);
}

bool Hosts::tell_versions(Session& session) {
  if (session.versions_told == versions_number_) return true;
  wire::ServeVersions message{.session = session.session, .versions = {}};
  for (LambdaIndex its = 0; its < session.ours.size(); ++its) {
    const auto version = session.ours[its] ? versions_.find(*session.ours[its]) : versions_.end();
    if (version != versions_.end())
      message.versions.push_back({.lambda = its, .hash = version->second});
    else if (session.chooses_itself)
      message.versions.push_back({.lambda = its, .hash = {}, .newest = true});
  }
  if (!message.versions.empty() && !transport_.send(session.peer, std::move(message))) return false;
  session.versions_told = versions_number_;
  return true;
}

void Hosts::set_versions(std::map<LambdaIndex, std::string> versions, std::vector<Input>& inputs) {
  versions_ = std::move(versions);
  ++versions_number_;
  for (auto& [id, session] : sessions_) {
    if (!session.up) continue;
    for (const auto& [lambda, credit] : session.credit)
      if (versions_.contains(lambda)) inputs.push_back(credit_of(session, credit));
    tell_versions(session);
  }
}

void Hosts::on_goodbye(Session& session, std::vector<Input>& inputs) {
  log::info("broker", "host '{}' says goodbye", printable(session.name, 64));
  saver_.remove_lease(session.key);
  if (session.up) inputs.push_back(scheduler::HostGone{.host = session.id, .clean = true});
  sessions_.erase(session.id);
}

// Its lease and the time to kill its children have passed: a later start need not wait for it.
void Hosts::on_lost(HostId host) {
  const auto at = sessions_.find(host);
  if (at == sessions_.end()) return;
  saver_.remove_lease(at->second.key);
  sessions_.erase(at);
}

Hosts::Session* Hosts::find(wire::PeerId peer, SessionId session) {
  for (auto& [id, s] : sessions_)
    if (s.peer == peer && s.session == session) return &s;
  return nullptr;
}

void Hosts::unknown(wire::PeerId peer, SessionId session) {
  ++stale_;
  // If it does not arrive, its next message asks again.
  if (session != 0) (void)transport_.send(peer, wire::HelloPlease{session});
}

const Hosts::Session* Hosts::find(HostId host) const {
  const auto at = sessions_.find(host);
  return at == sessions_.end() ? nullptr : &at->second;
}

void Hosts::drain_all() {
  draining_ = true;
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
