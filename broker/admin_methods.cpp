#include "broker/admin_methods.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/coverage_report.hpp"
#include "broker/json_reply.hpp"
#include "broker/plugin_list.hpp"
#include "broker/topology_numbers.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;

json topologies_of_subject(BrokerState& b, const scheduler::SubjectView& view) {
  json list = json::array();
  for (const scheduler::TopologyView& t : view.topologies)
    list.push_back({{"topology", b.plan.topologies[t.topology].name},
                    {"cursor", t.cursor},
                    {"state", scheduler::name_of(t.state)},
                    {"attempt", t.attempt},
                    {"reason", t.reason}});
  return list;
}

wire::AdminReply subject_method(BrokerState& b, const json& body) {
  const auto domain_name = body.value("domain", std::string());
  const auto subject = body.value("subject", std::string());
  const auto domain = b.domain_index(domain_name);
  if (!domain) return refused({ErrorCode::not_found, "no domain '" + printable(domain_name, 80) + "' in the config"});
  if (auto mistake = subject_mistake(subject); !mistake.empty()) return refused({ErrorCode::invalid, std::string(mistake)});
  auto found = b.subjects.find(*domain, subject);
  if (!found) return refused(found.error());
  const auto view = b.scheduler.view(found->id, *domain, found->stored ? &*found->stored : nullptr);
  return reply_with(true, {{"domain", domain_name},
                      {"subject", subject},
                      {"latest", found->id == 0 ? json(nullptr) : json(view.latest)},
                      {"topologies", topologies_of_subject(b, view)}});
}

// The lowest level any running child reached; "-" while none runs.
std::string worst_level(const BrokerState& b) {
  char worst = '-';
  auto see = [&](char level) {
    if (level >= 'A' && level <= 'D') worst = worst == '-' ? level : std::max(worst, level);
  };
  for (const SourceLink& link : b.links) see(link.status().level);
  for (const auto& [id, session] : b.hosts.sessions())
    for (const wire::ChildReport& child : session.report.children) see(child.level);
  return {worst};
}

std::string lambda_name(const BrokerState& b, LambdaIndex index) {
  const scheduler::LambdaSpec& lambda = b.plan.lambdas[index];
  return b.plan.topologies[lambda.topology].name + "." + lambda.name;
}

// What plugins count themselves.
json metrics_of(const BrokerState& b) {
  json all = json::object();
  for (const SourceLink& link : b.links)
    for (const child::ChildMetric& metric : link.metrics())
      all[link.status().domain][metric.name] = metric.value;
  for (const auto& [id, session] : b.hosts.sessions())
    for (const wire::LambdaMetric& metric : session.report.metrics) {
      if (metric.lambda >= b.plan.lambdas.size()) continue;
      json& sum = all[lambda_name(b, metric.lambda)][metric.name];
      sum = (sum.is_number() ? sum.get<double>() : 0.0) + metric.value;
    }
  return all;
}

json counters_of(BrokerState& b) {
  const scheduler::Counters c = b.scheduler.counters();
  const auto& t = b.tracker.counters();
  const auto& f = b.frontend->counters();
  return {{"events_done", c.events_done},
          {"jobs_issued", c.jobs_issued},
          {"jobs_done", c.jobs_done},
          {"jobs_in_flight", c.jobs_in_flight},
          {"attempts_failed", c.attempts_failed},
          {"parked", c.parked},
          {"stale_statuses", c.stale_statuses + b.hosts.stale()},
          {"hosts", c.hosts},
          {"hosts_lost", c.hosts_lost},
          {"subjects_in_memory", c.subjects_in_memory},
          {"waiting_bytes", c.waiting_bytes},
          {"outputs_bytes", c.outputs_bytes},
          {"outputs_dropped", c.outputs_dropped},
          {"timers", c.timers},
          {"pings",
           {{"received", f.pings},
            {"acknowledged", f.acknowledged},
            {"busy", f.busy},
            {"refused", f.refused},
            {"merged", t.merged},
            {"dropped", t.full}}},
          {"source",
           {{"calls", t.calls},
            {"queries", t.queries},
            {"answers", t.answers},
            {"failures", t.failures},
            {"reads_cut", t.cut},
            {"held_up", t.held_up},
            {"not_found", t.not_found}}},
          {"refresh", {{"subjects_seen", b.refresh.subjects_seen()}, {"pings", b.refresh.pings()}}},
          {"commits", b.saver.commits()},
          {"store_trouble", b.store_trouble},
          {"waiting_for_hosts", b.hosts.awaited()},
          {"sandbox_level", worst_level(b)},
          {"uptime_s", (boot_ns() - b.started_ns) / ns_per_s},
          {"latency_us", latency_numbers(b.latencies.ping_to_start())},
          {"run_us", latency_numbers(b.latencies.run())},
          {"metrics", metrics_of(b)}};
}

wire::AdminReply topologies_method(BrokerState& b) {
  json list = topology_numbers(b);
  for (const auto& [topology, failure] : b.last_failures)
    for (json& row : list)
      if (row["topology"] == b.plan.topologies[topology].name)
        row["last_failure"] = {
            {"subject", failure.subject}, {"sequence", failure.sequence}, {"reason", failure.reason}};
  return reply_with(true, {{"topologies", std::move(list)}});
}

wire::AdminReply coverage_method(BrokerState& b, const json& body) {
  const CoverageAsked asked{
      .topology = body.value("topology", std::string()),
      .limit = std::clamp<std::size_t>(body.value("limit", std::uint64_t{20}), 1, exceptions_page_max),
      .after = body.value("after", SubjectId{0})};
  auto report = coverage_report(b.config(), b.options.store, b.coverage.rows(), asked, wall_ns());
  return report ? reply_with(true, *report) : refused(report.error());
}

// "[json.exception.type_error.302] type must be string, but is number": without the library's own words.
std::string plain(const json::exception& error) {
  std::string_view text = error.what();
  if (const std::size_t end = text.find("] "); text.starts_with('[') && end != std::string_view::npos)
    text.remove_prefix(end + 2);
  return "a member of the request's body is wrong: " + printable(text, 200) + "; docs/protocol.md has the shapes";
}

}  // namespace

std::optional<wire::AdminReply> answer_admin(BrokerState& b, const wire::AdminRequest& request, AdminTicket ticket,
                                             std::vector<scheduler::Input>& inputs, std::int64_t now_ns) {
  const json body = json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) return refused({ErrorCode::invalid, "the request's body is not a JSON object"});
  try {  // nlohmann reports a member of the wrong type by throwing
    if (request.method == "subject") return subject_method(b, body);
    if (request.method == "topologies") return topologies_method(b);
    if (request.method == "plugins") return reply_with(true, plugin_list(b));
    if (request.method == "coverage") return coverage_method(b, body);
    if (request.method == "why") return b.whys.begin(body, std::move(ticket), now_ns);
    if (request.method == "pin") return b.pin_desk.begin(body, std::move(ticket));
    if (request.method == "canary")
      return b.canaries.begin(body, std::move(ticket), {.boot_ns = now_ns, .wall_ns = wall_ns()});
    if (request.method == "replay") return b.replay_desk.begin(body, std::move(ticket));
    if (request.method == "act") {
      if (const auto refusal = b.replay_desk.refusal_of_act(body)) return refused(*refusal);
      Operators::Begun begun = b.operators.begin(body, std::move(ticket));
      inputs = std::move(begun.inputs);
      return std::move(begun.reply);
    }
    if (request.method == "status") {
      wire::AdminReply answer = reply_with(true, counters_of(b));
      if (body.value("reset_latency", false)) b.latencies.reset();
      return answer;
    }
  } catch (const json::exception& e) {
    return refused({ErrorCode::invalid, "method '" + printable(request.method, 64) + "': " + plain(e)});
  }
  return refused({ErrorCode::not_found,
                  "no method '" + printable(request.method, 64) +
                      "'; this broker answers subject, topologies, plugins, coverage, why, act, canary, replay, pin, status"});
}

std::string stats_message(BrokerState& b) {
  json message = counters_of(b);
  message["topologies"] = topology_numbers(b);
  const std::vector<std::uint8_t> bytes = json::to_msgpack(message);
  return {bytes.begin(), bytes.end()};
}

void print_behind(BrokerState& b) {
  auto rows = b.options.store.behind(0, 20);
  if (!rows) return;
  for (const storage::StoredSubject& row : *rows) {
    const auto domain = b.domain_index(row.domain);
    if (!domain) continue;
    const auto view = b.scheduler.view(row.id, *domain, &row.info);
    for (const scheduler::TopologyView& t : view.topologies) {
      if (t.cursor >= view.latest) continue;
      log::write_plain(fmt::format("why: {} '{}' {}: cursor {}, latest {}, {}, attempt {}{}{}", row.domain,
                                   printable(row.subject, 255), b.plan.topologies[t.topology].name, t.cursor,
                                   view.latest, scheduler::name_of(t.state), t.attempt,
                                   t.reason.empty() ? "" : ": ", t.reason));
    }
  }
}

}  // namespace cape::broker
