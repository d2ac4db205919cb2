#include "broker/canary_desk.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/broker_state.hpp"
#include "broker/json_reply.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t look_every_ns = ns_per_s / 4;
constexpr std::int64_t store_again_ns = ns_per_s;
constexpr std::size_t canary_reason_bytes_max = 256;

// The lambda of the topology's shadow: the replays of a lambda run what is stable.
std::optional<LambdaIndex> shadow_lambda(const BrokerState& b, LambdaIndex lambda) {
  const TopologyIndex live = b.plan.lambdas[lambda].topology;
  for (TopologyIndex t = 0; t < b.config().topologies.size(); ++t)
    if (b.config().topologies[t].shadow_of == live)
      return b.plan.topologies[t].first_lambda + (lambda - b.plan.topologies[live].first_lambda);
  return std::nullopt;
}

const LambdaConfig& config_of(const BrokerState& b, LambdaIndex lambda) {
  const TopologyIndex topology = b.plan.lambdas[lambda].topology;
  return b.config().topologies[topology].lambdas[lambda - b.plan.topologies[topology].first_lambda];
}

storage::Canary stored_of(const std::vector<storage::Canary>& all, const std::string& topology,
                          const std::string& lambda) {
  for (const storage::Canary& one : all)
    if (one.topology == topology && one.lambda == lambda) return one;
  return {.topology = topology, .lambda = lambda};
}

double to_us(double ms) {
  return std::round(ms * 1000) / 1000;
}

std::optional<storage::PluginVersion> pin_of(const BrokerState& b, const std::string& plugin) {
  const storage::Pin* pin = b.pin_desk.of(plugin);
  if (pin == nullptr) return std::nullopt;
  return storage::PluginVersion{.hash = pin->hash, .version = pin->version};
}

// All that others are told of is.
bool serves_the_same(const storage::Canary& a, const storage::Canary& b) {
  return a.stable == b.stable && a.candidate == b.candidate && a.stable_in_twin == b.stable_in_twin &&
         a.share == b.share;
}

storage::AuditEntry audit_of(const BrokerState& b, LambdaIndex lambda, const std::string& act,
                             const std::string& reason, Now now) {
  const scheduler::TopologySpec& topology = b.plan.topologies[b.plan.lambdas[lambda].topology];
  return {.time_ns = now.wall_ns,
          .act = act,
          .domain = b.config().domains[topology.domain].name,
          .subject = {},
          .topology = topology.name,
          .from = 0,
          .to = 0,
          .reason = reason};
}

}  // namespace

void CanaryDesk::open(std::vector<storage::Canary> stored, Now now, std::vector<scheduler::Input>& inputs) {
  for (LambdaIndex lambda = 0; lambda < b_.plan.lambdas.size(); ++lambda) {
    const scheduler::LambdaSpec& spec = b_.plan.lambdas[lambda];
    if (!spec.twin || spec.is_twin) continue;
    storage::Canary record = stored_of(stored, b_.plan.topologies[spec.topology].name, spec.name);
    Tried& tried = tried_.emplace_back(Tried{.lambda = lambda,
                                             .twin = *spec.twin,
                                             .shadow = shadow_lambda(b_, lambda),
                                             .canary = Canary(*config_of(b_, lambda).canary, record),
                                             .stored = record});
    if (tried.canary.runs())
      log::info("broker", "{}.{}: canary: version {} goes on with {} of the subjects, {} has the others",
                record.topology, record.lambda, text_of(record.candidate), share_text(record.share),
                text_of(record.stable));
    take_effect(tried, now, inputs);
  }
  tell_hosts(inputs);
}

void CanaryDesk::on_outcomes(std::span<const scheduler::JobOutcome> outcomes) {
  for (const scheduler::JobOutcome& outcome : outcomes)
    for (Tried& tried : tried_) {
      if (outcome.lambda != tried.lambda && outcome.lambda != tried.twin) continue;
      tried.canary.ended({.of_candidate = outcome.lambda == slot_of_candidate(tried),
                          .events_done = outcome.events_done,
                          .failed = outcome.failed,
                          .event_ns = outcome.event_ns});
    }
}

LambdaIndex CanaryDesk::slot_of_candidate(const Tried& tried) const {
  return tried.stored.stable_in_twin ? tried.lambda : tried.twin;
}

// What hosts say; in the order in which they came, so that what is decided can be told from the log.
std::vector<VersionSeen> CanaryDesk::seen_of(const std::string& plugin) const {
  std::vector<VersionSeen> seen;
  const auto entry = [&](const std::string& hash) -> VersionSeen& {
    const auto at = std::ranges::find(
        seen, hash, [](const VersionSeen& one) -> const std::string& { return one.version.hash; });
    return at == seen.end() ? seen.emplace_back(VersionSeen{.version = {hash, {}}}) : *at;
  };
  for (const auto& [id, session] : b_.hosts.sessions()) {
    for (const wire::PluginOffer& offer : session.offers) {
      if (offer.id != plugin || offer.hash.empty()) continue;
      VersionSeen& one = entry(offer.hash);
      one.version.version = printable(offer.version, 64);
      one.serves |= offer.serves;
    }
    for (const wire::SetAside& bad : session.report.set_aside)
      if (!bad.hash.empty()) entry(bad.hash).set_aside = printable(bad.reason, 256);
  }
  return seen;
}

void CanaryDesk::look(Now now) {
  look_ns_ = now.boot_ns + look_every_ns;
  offers_seen_ = b_.hosts.offers_number();
  for (Tried& tried : tried_) {
    const std::string& plugin = b_.plan.lambdas[tried.lambda].plugin;
    tried.canary.pinned(pin_of(b_, plugin), now);
    tried.canary.saw(seen_of(plugin), now);
  }
}

void CanaryDesk::take_news(Tried& tried) {
  for (const CanaryLine& line : tried.canary.take_lines())
    log::write(line.is_bad ? log::Level::warning : log::Level::info, "broker", line.text);
  if (tried.canary.take_changed()) tried.is_dirty = true;
}

void CanaryDesk::step(Now now, std::vector<scheduler::Input>& inputs) {
  if (tried_.empty()) return;
  const bool looks = now.boot_ns >= look_ns_ || offers_seen_ != b_.hosts.offers_number();
  if (looks) look(now);
  for (Tried& tried : tried_) {
    if (looks || tried.canary.next_ns().value_or(now.boot_ns + 1) <= now.boot_ns) tried.canary.passed(now);
    take_news(tried);
    if (tried.is_dirty && tried.token == 0 && now.boot_ns >= retry_ns_) write(tried);
    if (!tried.in_effect) take_effect(tried, now, inputs);
  }
  if (hosts_due_) tell_hosts(inputs);
}

void CanaryDesk::write(Tried& tried) {
  tried.is_dirty = false;
  tried.token = ++last_token_;
  tried.written = tried.canary.record();
  tried.asked_of_write = std::exchange(tried.asked, {});
  b_.saver.put_canary(tried.written, std::exchange(tried.audit, {}), tried.token);
}

void CanaryDesk::on_saved(std::uint64_t token, bool is_stored, const std::optional<Error>& error) {
  const auto at = std::ranges::find(tried_, token, &Tried::token);
  if (at == tried_.end()) return;
  at->token = 0;
  if (is_stored) {
    at->in_effect = at->in_effect && serves_the_same(at->stored, at->written);
    at->stored = at->written;
  } else {
    at->is_dirty = true;
    retry_ns_ = boot_ns() + store_again_ns;
  }
  for (std::uint64_t id : std::exchange(at->asked_of_write, {})) {
    const auto request = requests_.find(id);
    if (request == requests_.end()) continue;
    if (is_stored && --request->second.left > 0) continue;
    answers_.push_back({std::move(request->second.ticket),
                        is_stored ? wire::AdminReply{true, std::move(request->second.body)}
                                  : refused({error ? error->code : ErrorCode::io,
                                             "it is tried again until it can be stored: " +
                                                 (error ? error->message : "")})});
    requests_.erase(request);
  }
}

// Other bytes come into a slot when no job of those before them is left there; until then nobody gets there.
void CanaryDesk::take_effect(Tried& tried, Now now, std::vector<scheduler::Input>& inputs) {
  const storage::Canary& record = tried.stored;
  const std::string& first = record.stable_in_twin ? record.candidate.hash : record.stable.hash;
  const std::string& second = record.stable_in_twin ? record.stable.hash : record.candidate.hash;
  const auto must_wait = [&](LambdaIndex slot, const std::string& told, const std::string& wanted) {
    return !wanted.empty() && wanted != told && b_.scheduler.jobs_of(slot) > 0;
  };
  const bool waits =
      must_wait(tried.lambda, tried.slot_hash, first) || must_wait(tried.twin, tried.twin_hash, second);
  const auto told_now = [&](LambdaIndex slot, const std::string& told, const std::string& wanted) {
    return must_wait(slot, told, wanted) ? std::string() : wanted;
  };
  std::string slot_hash = told_now(tried.lambda, tried.slot_hash, first);
  std::string twin_hash = told_now(tried.twin, tried.twin_hash, second);
  hosts_due_ |= slot_hash != tried.slot_hash || twin_hash != tried.twin_hash;
  tried.slot_hash = std::move(slot_hash);
  tried.twin_hash = std::move(twin_hash);
  const scheduler::Split split{
      .lambda = tried.lambda, .stable_in_twin = record.stable_in_twin, .share = waits ? 0 : record.share};
  if (tried.split != split) inputs.push_back(split);
  tried.split = split;
  if (waits) return;
  tried.in_effect = true;
  if (serves_the_same(record, tried.canary.record())) tried.canary.took_effect(now);
}

void CanaryDesk::tell_hosts(std::vector<scheduler::Input>& inputs) {
  hosts_due_ = false;
  if (tried_.empty()) return;
  std::map<LambdaIndex, std::string> versions;
  for (const Tried& tried : tried_) {
    versions[tried.lambda] = tried.slot_hash;
    versions[tried.twin] = tried.twin_hash;
    if (tried.shadow) versions[*tried.shadow] = tried.stored.stable.hash;
  }
  b_.hosts.set_versions(std::move(versions), inputs);
}

std::optional<std::int64_t> CanaryDesk::next_deadline() const {
  if (tried_.empty()) return std::nullopt;
  std::int64_t next = look_ns_;
  for (const Tried& tried : tried_) next = std::min(next, tried.canary.next_ns().value_or(next));
  return next;
}

// Once all of it is on disk.
std::optional<wire::AdminReply> CanaryDesk::answer_to(const Json& body, AdminTicket ticket,
                                                      std::vector<Done> done, const std::string& refusal) {
  if (done.empty() && !refusal.empty()) return refused({ErrorCode::conflict, refusal});
  if (done.empty())
    return refused(
        {ErrorCode::not_found,
         fmt::format("no lambda of plugin '{}' has `canary` in the config; see `cape topology list`",
                     printable(body.value("plugin", std::string()), wire::name_bytes_max))});
  const bool dry_run = body.value("dry_run", false);
  Json rows = Json::array();
  for (const Done& one : done)
    rows.push_back({{"topology", one.tried->stored.topology},
                    {"lambda", one.tried->stored.lambda},
                    {"verdict", one.verdict}});
  const wire::AdminReply reply = reply_with(true, {{"act", body.at("act")},
                                                   {"plugin", body.at("plugin")},
                                                   {"dry_run", dry_run},
                                                   {"lambdas", std::move(rows)}});
  if (dry_run) return reply;
  const std::uint64_t id = ++last_request_;
  for (const Done& one : done) one.tried->asked.push_back(id);
  requests_.emplace(id, Request{.ticket = std::move(ticket), .body = reply.body, .left = done.size()});
  return std::nullopt;
}

std::optional<wire::AdminReply> CanaryDesk::begin(const Json& body, AdminTicket ticket, Now now) {
  const auto act = body.value("act", std::string()), plugin = body.value("plugin", std::string());
  const auto topology = body.value("topology", std::string());
  const std::string reason = printable(body.value("reason", std::string()), canary_reason_bytes_max);
  if (act != "promote" && act != "rollback")
    return refused({ErrorCode::invalid, "'act' is neither \"promote\" nor \"rollback\""});
  if (requests_.size() >= requests_max)
    return refused({ErrorCode::unavailable, "too many requests wait for the store; try again"});
  std::vector<Done> done;
  std::string refusal;
  for (Tried& tried : tried_) {
    if (b_.plan.lambdas[tried.lambda].plugin != plugin) continue;
    if (!topology.empty() && tried.stored.topology != topology) continue;
    Canary canary = tried.canary;
    std::string no = act == "promote" ? canary.promote(reason, now) : canary.roll_back(reason, now);
    if (!no.empty()) {
      refusal = fmt::format("{}.{}: {}", tried.stored.topology, tried.stored.lambda, no);
      continue;
    }
    done.push_back({&tried, canary.record().verdict});
    if (body.value("dry_run", false)) continue;
    tried.canary = std::move(canary);
    tried.audit.push_back(audit_of(b_, tried.lambda, act, reason, now));
  }
  return answer_to(body, std::move(ticket), std::move(done), refusal);
}

Json CanaryDesk::row_of(const Tried& tried, std::int64_t now_ns) const {
  const storage::Canary& record = tried.canary.record();
  const auto version = [](const storage::PluginVersion& v) {
    return v.empty() ? Json(nullptr) : Json(text_of(v));
  };
  Json row = {{"lambda", record.lambda},
              {"plugin", b_.plan.lambdas[tried.lambda].plugin},
              {"stable", version(record.stable)},
              {"stable_hash", record.stable.hash},
              {"candidate", version(record.candidate)},
              {"candidate_hash", record.candidate.hash},
              {"share", tried.canary.runs() ? Json(share_text(record.share)) : Json(nullptr)},
              {"in_effect", tried.in_effect && serves_the_same(tried.stored, record)},
              {"verdict", record.verdict}};
  if (!tried.canary.runs()) return row;
  const VersionTally &stable = tried.canary.stable(), &candidate = tried.canary.candidate();
  row.update({{"stage_left_s", std::max<std::int64_t>(0, tried.canary.stage_end_ns() - now_ns) / ns_per_s},
              {"extensions", tried.canary.extensions()},
              {"events", candidate.events},
              {"failed", candidate.failed},
              {"p95_ms", to_us(candidate.p95_ms())},
              {"stable_events", stable.events},
              {"stable_failed", stable.failed},
              {"stable_p95_ms", to_us(stable.p95_ms())}});
  return row;
}

Json CanaryDesk::rows_of(TopologyIndex topology, std::int64_t now_ns) const {
  Json rows = Json::array();
  for (const Tried& tried : tried_)
    if (b_.plan.lambdas[tried.lambda].topology == topology) rows.push_back(row_of(tried, now_ns));
  return rows;
}

std::map<LambdaIndex, std::string> CanaryDesk::told_of(LambdaIndex lambda) const {
  const auto at = std::ranges::find(tried_, lambda, &Tried::lambda);
  if (at == tried_.end()) return {};
  return {{at->lambda, at->slot_hash}, {at->twin, at->twin_hash}};
}

std::map<std::string, std::string> CanaryDesk::roles_of(const std::string& plugin,
                                                        const std::string& hash) const {
  std::map<std::string, std::string> roles;
  for (const Tried& tried : tried_) {
    if (b_.plan.lambdas[tried.lambda].plugin != plugin) continue;
    const storage::Canary& record = tried.canary.record();
    const std::string name = record.topology + "." + record.lambda;
    if (hash == record.stable.hash)
      roles[name] = "stable";
    else if (hash == record.candidate.hash)
      roles[name] = "candidate " + share_text(record.share);
    else if (std::ranges::find(record.rejected, hash) != record.rejected.end())
      roles[name] = "not tried again";
  }
  return roles;
}

}  // namespace cape::broker
