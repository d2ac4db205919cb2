#include "broker/operators.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/json_reply.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;
using scheduler::Act;

constexpr Act acts[] = {Act::pause, Act::resume, Act::park, Act::redrive, Act::skip, Act::rewind};
constexpr std::size_t rows_shown = 100;

std::optional<Act> act_of(std::string_view name) {
  for (Act act : acts)
    if (name == scheduler::name_of(act)) return act;
  return std::nullopt;
}

bool is_pause(Act act) {
  return act == Act::pause || act == Act::resume;
}

std::vector<TopologyIndex> with_dependants(const scheduler::SchedulerPlan& plan, TopologyIndex first) {
  std::vector<TopologyIndex> found{first};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (TopologyIndex t = 0; t < plan.topologies.size(); ++t)
      if (std::ranges::find(plan.topologies[t].after, found[i]) != plan.topologies[t].after.end() &&
          std::ranges::find(found, t) == found.end())
        found.push_back(t);
  return found;
}

}  // namespace

Operators::Operators(const Config& config, const scheduler::SchedulerPlan& plan,
                     const scheduler::Scheduler& scheduler, Subjects& subjects, storage::CursorStore& store,
                     Saver& saver)
    : config_(config),
      plan_(plan),
      scheduler_(scheduler),
      subjects_(subjects),
      store_(store),
      saver_(saver) {}

Result<Operators::Asked> Operators::understand(const json& body) const {
  Asked asked;
  const auto act = act_of(body.value("act", ""));
  if (!act)
    return fail(ErrorCode::invalid, "no such act; there are pause, resume, park, redrive, skip, rewind");
  asked.act = *act;
  const std::string topology = body.value("topology", "");
  const auto at = std::ranges::find(plan_.topologies, topology, &scheduler::TopologySpec::name);
  if (at == plan_.topologies.end())
    return fail(ErrorCode::not_found,
                fmt::format("no topology '{}' in the running config; see cape topology list",
                            printable(topology, 80)));
  asked.topology = static_cast<TopologyIndex>(at - plan_.topologies.begin());
  asked.topologies = {asked.topology};
  if (body.value("with_dependants", false)) asked.topologies = with_dependants(plan_, asked.topology);
  if (body.contains("subject")) {
    asked.subject = body.at("subject").get<std::string>();
    if (auto mistake = subject_mistake(*asked.subject); !mistake.empty())
      return fail(ErrorCode::invalid, std::string(mistake));
  }
  asked.sequence = body.value("sequence", Sequence{0});
  if (asked.sequence < 0 || (asked.act == Act::rewind && asked.sequence < 1))
    return fail(ErrorCode::invalid, "a sequence is 1 or above");
  asked.reason = printable(body.value("reason", ""), scheduler::act_reason_bytes_max);
  asked.dry_run = body.value("dry_run", false);
  asked.after = body.value("after", "");
  if (!asked.subject && (asked.act == Act::skip || asked.act == Act::park))
    return fail(ErrorCode::invalid,
                fmt::format("{} is of one subject: name it", scheduler::name_of(asked.act)));
  return asked;
}

Operators::Begun Operators::begin(const json& body, AdminTicket ticket) {
  auto asked = understand(body);
  if (!asked) return {refused(asked.error()), {}};
  if (requests_.size() + whole_pauses_.size() >= requests_max)
    return {refused({ErrorCode::unavailable,
                     fmt::format("{} commands of operators wait already; try again", requests_max)}),
            {}};
  if (!asked->subject && is_pause(asked->act)) return pause_whole(*asked, std::move(ticket));

  Begun begun;
  Request request{.ticket = std::move(ticket), .asked = *asked, .rows = {}, .outstanding = 0, .next = {}};
  if (asked->subject) {
    if (auto added = add_subject(request, *asked->subject, begun.inputs); !added)
      return {refused(added.error()), {}};
  } else {
    auto page = page_of(*asked, request.next);
    if (!page) return {refused(page.error()), {}};
    for (const storage::StoredSubject& stored : *page)
      if (auto added = add_subject(request, stored.subject, begun.inputs); !added)
        return {refused(added.error()), {}};
  }
  if (request.outstanding == 0) {
    begun.reply = reply_of(request);
    return begun;
  }
  const std::uint64_t first = std::ranges::min(request.rows, {}, &Row::command).command;
  for (const Row& row : request.rows) of_command_.emplace(row.command, first);
  requests_.emplace(first, std::move(request));
  return begun;
}

// The whole topology: one word to the scheduler, one row in the store.
Operators::Begun Operators::pause_whole(const Asked& asked, AdminTicket ticket) {
  const std::string& name = plan_.topologies[asked.topology].name;
  const bool pause = asked.act == Act::pause;
  if (asked.dry_run) {
    const Request request{.ticket = {}, .asked = asked, .rows = {}, .outstanding = 0, .next = {}};
    return {reply_of(request), {}};
  }
  const std::uint64_t token = ++last_id_;
  saver_.put_pause({.topology = name, .paused = pause, .reason = asked.reason},
                   {.time_ns = SystemClock().now().wall_ns,
                    .act = scheduler::name_of(asked.act),
                    .domain = config_.domains[plan_.topologies[asked.topology].domain].name,
                    .subject = {},
                    .topology = name,
                    .from = 0,
                    .to = 0,
                    .reason = asked.reason},
                   token);
  whole_pauses_.emplace(token, WholePause{std::move(ticket), asked});
  return {std::nullopt,
          {scheduler::PauseTopology{.topology = asked.topology, .paused = pause, .reason = asked.reason}}};
}

void Operators::on_pause_saved(std::uint64_t token, const std::optional<Error>& error) {
  const auto at = whole_pauses_.find(token);
  if (at == whole_pauses_.end()) return;
  WholePause whole = std::move(at->second);
  whole_pauses_.erase(at);
  const Request request{
      .ticket = {}, .asked = std::move(whole.asked), .rows = {}, .outstanding = 0, .next = {}};
  answers_.push_back(
      {std::move(whole.ticket),
       error ? refused({error->code,
                        "it holds until the broker ends, but could not be stored: " + error->message})
             : reply_of(request)});
}

// The next subjects of the topology that the act is about, by the stored records: what is in memory alone has
// nothing to redrive or rewind.
Result<std::vector<storage::StoredSubject>> Operators::page_of(const Asked& asked,
                                                               std::optional<std::string>& next) {
  const std::string& domain = config_.domains[plan_.topologies[asked.topology].domain].name;
  auto rows = store_.range(domain, asked.after, {}, subjects_per_page);
  if (!rows) return rows;
  if (rows->size() == subjects_per_page) next = rows->back().subject;
  std::erase_if(*rows, [&](const storage::StoredSubject& stored) { return !concerns(asked, stored); });
  return rows;
}

bool Operators::concerns(const Asked& asked, const storage::StoredSubject& stored) const {
  return std::ranges::any_of(asked.topologies, [&](TopologyIndex topology) {
    const auto at = std::ranges::find(stored.info.topologies, plan_.topologies[topology].name,
                                      &storage::TopologyCursor::topology);
    if (at == stored.info.topologies.end()) return false;
    return std::ranges::any_of(at->lambdas, [&](const storage::LambdaCursor& lambda) {
      return asked.act == Act::redrive ? lambda.parked || lambda.attempts > 0
                                       : lambda.cursor >= asked.sequence;
    });
  });
}

Result<void> Operators::add_subject(Request& request, const std::string& subject,
                                    std::vector<scheduler::Input>& inputs) {
  const Asked& asked = request.asked;
  const DomainIndex domain = plan_.topologies[asked.topology].domain;
  auto found = subjects_.find(domain, subject);
  if (!found) return std::unexpected(found.error());
  if (found->id == 0 && !found->stored)
    return fail(ErrorCode::not_found,
                fmt::format("nothing is known of subject '{}' in domain '{}' yet: look at its spelling",
                            printable(subject, 255), config_.domains[domain].name));
  if (found->id == 0) found->id = store_.new_subject_id();  // a baseline alone knows it
  for (TopologyIndex topology : asked.topologies) {
    scheduler::Command command{.id = 0,
                               .act = asked.act,
                               .topology = topology,
                               .subject = found->id,
                               .domain = domain,
                               .name = subject,
                               .stored = found->stored,
                               .sequence = asked.sequence,
                               .reason = asked.reason};
    const scheduler::Preview preview = scheduler_.preview(command);
    Row row{.subject = subject,
            .topology = topology,
            .command = 0,
            .refusal = preview.refusal,
            .from = preview.from,
            .to = preview.to,
            .jobs_to_cancel = preview.jobs_to_cancel};
    const bool wanted = asked.subject.has_value() || topology == asked.topology || preview.refusal.empty();
    if (!asked.dry_run && preview.refusal.empty()) {
      row.command = command.id = ++last_id_;
      subjects_.hold(domain, subject, found->id);
      inputs.push_back(std::move(command));
      ++request.outstanding;
    }
    if (wanted) request.rows.push_back(std::move(row));
  }
  return {};
}

void Operators::on_done(const scheduler::CommandDone& done) {
  const auto of = of_command_.find(done.id);
  if (of == of_command_.end()) return;
  const auto at = requests_.find(of->second);
  of_command_.erase(of);
  Request& request = at->second;
  for (Row& row : request.rows) {
    if (row.command != done.id) continue;
    row.refusal = done.refusal;
    row.from = done.from;
    row.to = done.to;
  }
  if (--request.outstanding > 0) return;
  wire::AdminReply reply = reply_of(request);
  answers_.push_back({std::move(request.ticket), std::move(reply)});
  requests_.erase(at);
}

std::vector<Operators::Answer> Operators::take_answers() {
  return std::exchange(answers_, {});
}

// One subject that was refused is an error; of many some may have moved on by themselves.
wire::AdminReply Operators::reply_of(const Request& request) const {
  const Asked& asked = request.asked;
  std::size_t done = 0;
  json rows = json::array();
  for (const Row& row : request.rows) {
    done += row.refusal.empty();
    if (rows.size() < rows_shown)
      rows.push_back({{"subject", row.subject},
                      {"topology", plan_.topologies[row.topology].name},
                      {"from", row.from},
                      {"to", row.to},
                      {"jobs_to_cancel", row.jobs_to_cancel},
                      {"refusal", row.refusal}});
  }
  if (asked.subject && done == 0 && !request.rows.empty())
    return refused({ErrorCode::conflict, request.rows.front().refusal});
  return reply_with(true, {{"act", scheduler::name_of(asked.act)},
                           {"topology", plan_.topologies[asked.topology].name},
                           {"dry_run", asked.dry_run},
                           {"done", asked.subject || !is_pause(asked.act) ? done : 1},
                           {"refused", request.rows.size() - done},
                           {"rows", std::move(rows)},
                           {"next", request.next ? json(*request.next) : json(nullptr)}});
}

}  // namespace cape::broker
