#include "broker/why.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/broker_state.hpp"
#include "broker/json_reply.hpp"
#include "core/config/shadow.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;
using scheduler::Cause;
using scheduler::Why;

constexpr std::int64_t source_wait_ns = 2 * ns_per_s;
constexpr Sequence latest_only = INT64_MAX - 1;

struct Told {
  std::string cause;
  std::string detail;
};

Told told(std::string cause, std::string detail) {
  return {std::move(cause), std::move(detail)};
}

// A host that has set the lambda's plugin aside, which is why a breaker opens, too.
std::optional<Told> told_of_set_aside(const BrokerState& b, LambdaIndex lambda) {
  for (const auto& [id, session] : b.hosts.sessions()) {
    const auto credit = session.credit.find(lambda);
    if (credit == session.credit.end()) continue;
    if (credit->second.trouble.find("set aside") != std::string::npos)
      return told("plugin_set_aside", fmt::format("host {}: {}", session.name, credit->second.trouble));
  }
  return std::nullopt;
}

// What the hosts say of a lambda for which no job goes out.
Told told_of_hosts(const BrokerState& b, const Why& why) {
  if (const auto awaited = b.hosts.awaited(); !awaited.empty())
    return told("waiting_leases",
                fmt::format("jobs of the broker's last life may still run at {}: they go on when it "
                            "says hello, or its lease has passed",
                            fmt::join(awaited, ", ")));
  if (auto set_aside = told_of_set_aside(b, why.lambda)) return *std::move(set_aside);
  std::string trouble = why.detail;
  for (const auto& [id, session] : b.hosts.sessions()) {
    const auto credit = session.credit.find(why.lambda);
    if (credit == session.credit.end()) continue;
    if (trouble.empty()) trouble = credit->second.trouble;
    const bool drains = credit->second.trouble.find("is draining") != std::string::npos;  // in the worker's words
    if (why.cause == Cause::no_host && credit->second.jobs_max == 0 && drains)
      return told("host_draining",
                  fmt::format("host {} takes no more jobs: it is being stopped", session.name));
  }
  if (why.cause == Cause::queued_for_credit) return told("queued_for_credit", trouble);
  if (b.hosts.sessions().empty()) return told("no_host", "no host is connected: start `cape host`");
  return told("no_host", trouble.empty()
                             ? fmt::format("no host offers plugin '{}': put its .so into a plugin directory",
                                           b.plan.lambdas[why.lambda].plugin)
                             : trouble);
}

Told told_of_source(const Why& why, Sequence known, const std::optional<Sequence>& latest,
                    const std::string& trouble, bool is_read) {
  if (!trouble.empty()) return told("source_failed", trouble);
  if (is_read || why.cause == Cause::being_read) return told("being_read", "its events are being read");
  const Sequence there = std::max(known, latest.value_or(0));
  if (why.cursor >= there) return told("up_to_date", "");
  return told("no_ping_yet",
              fmt::format("the source has events up to {}: the next ping or refresh walk finds them", there));
}

}  // namespace

std::optional<wire::AdminReply> WhyDesk::begin(const json& body, AdminTicket ticket, std::int64_t now_ns) {
  const auto name = body.value("domain", std::string());
  const auto subject = body.value("subject", std::string());
  const auto domain = b_.domain_index(name);
  if (!domain)
    return refused({ErrorCode::not_found, "no domain '" + printable(name, 80) + "' in the config"});
  if (auto mistake = subject_mistake(subject); !mistake.empty())
    return refused({ErrorCode::invalid, std::string(mistake)});
  SourceLink& link = b_.links[source_domain(b_.config(), *domain)];
  if (!link.ready()) return reply_of(*domain, subject, {.latest = {}, .trouble = link.trouble()});
  if (questions_.size() >= questions_max)
    return refused({ErrorCode::unavailable,
                    fmt::format("{} such questions wait for a source already; try again", questions_max)});
  const std::uint64_t tag = last_tag_ + 1;
  if (!link.child().query({{.tag = tag, .subject = subject, .start = latest_only}}, 1, 1))
    return reply_of(*domain, subject,
                    {.latest = {}, .trouble = "the source is so far behind that it takes no question"});
  last_tag_ = tag;
  questions_.emplace(tag, Question{std::move(ticket), *domain, subject, now_ns + source_wait_ns});
  return std::nullopt;
}

bool WhyDesk::on_answer(DomainIndex, const child::QueryAnswer& said) {
  if (said.tag >> 63 == 0) return false;
  SourceSays source;
  if (said.status == OutcomeKind::ok)
    source.latest = said.latest;
  else if (said.status != OutcomeKind::not_found)
    source.trouble = fmt::format("{}: {}", name_of(said.status), said.reason);
  answer(said.tag, source);
  return true;
}

void WhyDesk::on_source_lost(DomainIndex domain) {
  std::vector<std::uint64_t> tags;
  for (const auto& [tag, question] : questions_)
    if (source_domain(b_.config(), question.domain) == domain) tags.push_back(tag);
  for (std::uint64_t tag : tags) answer(tag, {.latest = {}, .trouble = b_.links[domain].trouble()});
}

void WhyDesk::step(std::int64_t now_ns) {
  while (!questions_.empty() && questions_.begin()->second.until_ns <= now_ns)
    answer(questions_.begin()->first,
           {.latest = {}, .trouble = fmt::format("it has not answered for {} s", source_wait_ns / ns_per_s)});
}

std::optional<std::int64_t> WhyDesk::next_deadline() const {
  if (questions_.empty()) return std::nullopt;
  return questions_.begin()->second.until_ns;
}

std::vector<WhyDesk::Answer> WhyDesk::take_answers() {
  return std::exchange(answers_, {});
}

void WhyDesk::answer(std::uint64_t tag, const SourceSays& source) {
  const auto at = questions_.find(tag);
  if (at == questions_.end()) return;  // it came too late
  Question question = std::move(at->second);
  questions_.erase(at);
  answers_.push_back({std::move(question.ticket), reply_of(question.domain, question.subject, source)});
}

wire::AdminReply WhyDesk::reply_of(DomainIndex domain, const std::string& subject,
                                   SourceSays source) const {
  if (b_.config().domains[domain].shadow_of)  // nothing behind its range is asked for
    if (const auto replay = b_.replays.view_of(b_.plan.of_domain[domain].front()); replay && source.latest)
      source.latest = std::min(*source.latest, replay->replay.to);
  auto found = b_.subjects.find(domain, subject);
  if (!found) return refused(found.error());
  const storage::CursorInfo* stored = found->stored ? &*found->stored : nullptr;
  const scheduler::SubjectView view = b_.scheduler.view(found->id, domain, stored);
  const std::vector<Why> whys = b_.scheduler.why(found->id, domain, stored);
  const std::int64_t now_ns = boot_ns();
  const bool is_read = b_.tracker.is_reading(domain, subject);
  json list = json::array();
  for (std::size_t i = 0; i < whys.size(); ++i) {
    const Why& why = whys[i];
    Told is = told(scheduler::name_of(why.cause), why.detail);
    switch (why.cause) {
      case Cause::no_host:
      case Cause::queued_for_credit:
        is = told_of_hosts(b_, why);
        break;
      case Cause::circuit_open:
        is = told_of_set_aside(b_, why.lambda).value_or(is);
        break;
      case Cause::up_to_date:
      case Cause::not_read:
      case Cause::being_read:
        is = told_of_source(why, view.latest, source.latest,
                            source.trouble.empty() && is_read ? b_.tracker.trouble(domain) : source.trouble, is_read);
        break;
      case Cause::baseline_running:
        if (std::string told = b_.baselines.progress_of(domain); !told.empty()) is.detail += ": " + told;
        break;
      default:
        break;
    }
    json row{{"topology", b_.plan.topologies[why.topology].name},
             {"cursor", why.cursor},
             {"state", scheduler::name_of(view.topologies[i].state)},
             {"cause", is.cause},
             {"attempt", why.attempt},
             {"reason", is.detail},
             {"sequence", why.sequence > 0 ? json(why.sequence) : json(nullptr)}};
    if (why.cause == Cause::in_flight) {
      const Hosts::Session* session = b_.hosts.find(why.host);
      json children = json::array();
      if (session)
        for (const wire::ChildReport& child : session->report.children)
          if (child.lambda == why.lambda) children.push_back(child.pid);
      row["job"] = why.job;
      row["host"] = session ? json(session->name) : json(nullptr);
      row["children"] = std::move(children);
      row["for_ms"] = (now_ns - why.since_ns) / ns_per_ms;
    }
    if (why.until_ns > 0)
      row["next_try_in_ms"] = std::max<std::int64_t>(0, (why.until_ns - now_ns) / ns_per_ms);
    list.push_back(std::move(row));
  }
  return reply_with(true, {{"domain", b_.config().domains[domain].name},
                           {"subject", subject},
                           {"latest", source.latest    ? json(*source.latest)
                                      : found->id == 0 ? json(nullptr)
                                                       : json(view.latest)},
                           {"topologies", std::move(list)}});
}

}  // namespace cape::broker
