#include "broker/replay_desk.hpp"

#include <algorithm>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/broker_state.hpp"
#include "broker/json_reply.hpp"
#include "core/config/shadow.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;
using State = storage::Replay::State;

constexpr std::uint32_t dry_run_page = 1000;
constexpr std::size_t dry_rows_shown = 100;

json time_of(std::int64_t wall_ns) {
  if (wall_ns == 0) return nullptr;
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ns / ns_per_s)));
}

const char* word_of(const storage::Replay& replay) {
  switch (replay.state) {
    case State::scanning:
    case State::running:
      return "running";
    case State::ending:
      return "ending";
    case State::ended:
      break;
  }
  return replay.cancelled ? "cancelled" : "done";
}

json row_of(const Replays::View& view) {
  const storage::Replay& replay = view.replay;
  json row{{"name", replay.name},
           {"topology", replay.topology},
           {"shadow", shadow_name(replay.topology)},
           {"subject", replay.subject.empty() ? json(nullptr) : json(replay.subject)},
           {"from", replay.from},
           {"to", replay.to},
           {"state", word_of(replay)},
           {"scanned", replay.state != State::scanning},
           {"subjects", replay.subjects},
           {"events", view.events},
           {"started", time_of(replay.started_wall_ns)},
           {"ended", time_of(replay.ended_wall_ns)},
           {"trouble", view.trouble},
           {"reason", replay.reason}};
  const bool is_over = replay.state == State::ending || replay.state == State::ended;
  const ReplayCounts counts = is_over ? ReplayCounts{.done = replay.done, .parked = replay.parked}
                                      : view.counts.value_or(ReplayCounts{});
  const bool known = is_over || view.counts.has_value();
  row["done"] = known ? json(counts.done) : json(nullptr);
  row["parked"] = known ? json(counts.parked) : json(nullptr);
  row["failing"] = known ? json(counts.failing) : json(nullptr);
  return row;
}

bool is_replay_name(std::string_view text) {
  return text.empty() || is_host_name(text);
}

json dry_row(const std::string& subject, Sequence latest, const Replays::Asked& asked) {
  return {{"subject", subject}, {"from", asked.from}, {"to", std::min(latest, asked.to)}, {"latest", latest}};
}

json dry_answer(const Replays::Asked& asked, const std::string& topology, json rows, std::uint64_t subjects) {
  return {{"topology", topology}, {"dry_run", true},         {"from", asked.from}, {"to", asked.to},
          {"subjects", subjects}, {"rows", std::move(rows)}, {"next", nullptr}};
}

}  // namespace

Result<Replays::Asked> ReplayDesk::understand(const json& body) const {
  Replays::Asked asked;
  const std::string topology = body.value("topology", "");
  const auto at = std::ranges::find(b_.plan.topologies, topology, &scheduler::TopologySpec::name);
  if (at == b_.plan.topologies.end() || at->shadow)
    return fail(ErrorCode::not_found,
                fmt::format("no topology '{}' in the running config; see cape topology list",
                            printable(topology, 80)));
  asked.topology = static_cast<TopologyIndex>(at - b_.plan.topologies.begin());
  asked.name = body.value("name", "");
  if (!is_replay_name(asked.name))
    return fail(ErrorCode::invalid,
                "a replay's name is letters, digits, '.', '_' and '-', 1 to 63 in all: give another --name");
  asked.from = body.value("from", Sequence{0});
  asked.to = body.value("to", Sequence{0});
  if (asked.from < 1 || asked.to < asked.from || asked.to == INT64_MAX)
    return fail(
        ErrorCode::invalid,
        "a range goes from a sequence of 1 or above to one that is not below it: look at --from and --to");
  asked.reason = printable(body.value("reason", ""), scheduler::act_reason_bytes_max);
  if (!body.contains("subject")) return asked;
  asked.subject = body.at("subject").get<std::string>();
  if (auto mistake = subject_mistake(asked.subject); !mistake.empty())
    return fail(ErrorCode::invalid, std::string(mistake));
  auto found = b_.subjects.find(at->domain, asked.subject);
  if (!found) return std::unexpected(found.error());
  const std::string domain = b_.config().domains[at->domain].name;
  if (found->id == 0 && !found->stored)
    return fail(ErrorCode::not_found,
                fmt::format("nothing is known of subject '{}' in domain '{}' yet: look at its spelling",
                            printable(asked.subject, 255), domain));
  asked.latest = b_.scheduler.view(found->id, at->domain, found->stored ? &*found->stored : nullptr).latest;
  if (asked.latest < asked.from)
    return fail(ErrorCode::conflict,
                fmt::format("subject '{}' has events up to {}: there is nothing from {} on to run again",
                            printable(asked.subject, 255), asked.latest, asked.from));
  return asked;
}

std::optional<wire::AdminReply> ReplayDesk::begin(const json& body, AdminTicket ticket) {
  const std::string what = body.value("do", "");
  if (what == "list") return list();
  if (what == "begin") return start(body, std::move(ticket));
  if (what != "cancel") return refused({ErrorCode::invalid, "a replay is begun, listed or cancelled"});
  const auto id =
      b_.replays.cancel(body.value("name", ""),
                        printable(body.value("reason", ""), scheduler::act_reason_bytes_max), wall_ns());
  if (!id) return refused(id.error());
  waiting_[*id] = {std::move(ticket), true};
  return std::nullopt;
}

std::optional<wire::AdminReply> ReplayDesk::start(const json& body, AdminTicket ticket) {
  const auto asked = understand(body);
  if (!asked) return refused(asked.error());
  if (body.value("dry_run", false)) return dry_run(*asked, body.value("after", ""), std::move(ticket));
  const auto id = b_.replays.begin(*asked, wall_ns());
  if (!id) return refused(id.error());
  waiting_[*id] = {std::move(ticket), false};
  return std::nullopt;
}

std::optional<wire::AdminReply> ReplayDesk::dry_run(const Replays::Asked& asked, const std::string& after,
                                                    AdminTicket ticket) {
  const TopologyConfig& live = b_.config().topologies[asked.topology];
  if (std::string mistake = shadow_mistake(live); !mistake.empty())
    return refused({ErrorCode::conflict, std::move(mistake)});
  if (!asked.subject.empty())
    return reply_with(
        true, dry_answer(asked, live.name, json::array({dry_row(asked.subject, asked.latest, asked)}), 1));
  SourceLink& link = b_.links[live.domain];
  if (!link.ready())
    return refused(
        {ErrorCode::unavailable, fmt::format("the source of domain '{}' does not answer: {}; try again",
                                             b_.config().domains[live.domain].name, link.trouble())});
  if (dry_runs_.size() >= dry_runs_max)
    return refused({ErrorCode::unavailable,
                    fmt::format("{} such questions wait for a source already; try again", dry_runs_max)});
  const auto call = link.child().scan(after, dry_run_page);
  if (!call)
    return refused({ErrorCode::unavailable, "the source has so much to do that it takes no scan; try again"});
  dry_runs_.push_back({.ticket = std::move(ticket), .asked = asked, .source = live.domain, .call = *call});
  return std::nullopt;
}

bool ReplayDesk::on_scan(DomainIndex source, const child::ScanAnswer& answer) {
  const auto at = std::ranges::find_if(
      dry_runs_, [&](const DryRun& run) { return run.source == source && run.call == answer.call; });
  if (at == dry_runs_.end()) return false;
  DryRun run = std::move(*at);
  dry_runs_.erase(at);
  if (answer.status != OutcomeKind::ok) {
    answers_.push_back(
        {std::move(run.ticket),
         refused({ErrorCode::unavailable, fmt::format("the source could not scan: {} {}; try again",
                                                      name_of(answer.status), answer.reason)})});
    return true;
  }
  json rows = json::array();
  std::uint64_t subjects = 0;
  for (const child::ScannedSubject& seen : answer.subjects) {
    if (seen.latest < run.asked.from) continue;
    ++subjects;
    if (rows.size() < dry_rows_shown) rows.push_back(dry_row(seen.subject, seen.latest, run.asked));
  }
  json body =
      dry_answer(run.asked, b_.config().topologies[run.asked.topology].name, std::move(rows), subjects);
  if (answer.more) body["next"] = answer.token;
  answers_.push_back({std::move(run.ticket), reply_with(true, body)});
  return true;
}

void ReplayDesk::on_source_lost(DomainIndex source) {
  std::erase_if(dry_runs_, [&](DryRun& run) {
    if (run.source != source) return false;
    answers_.push_back(
        {std::move(run.ticket),
         refused({ErrorCode::unavailable, fmt::format("the source ended while it was asked: {}; try again",
                                                      b_.links[source].trouble())})});
    return true;
  });
}

void ReplayDesk::take_stored() {
  for (const Replays::Stored& stored : b_.replays.take_stored()) {
    const auto at = waiting_.find(stored.id);
    if (at == waiting_.end()) continue;
    const std::string next = at->second.cancel ? "it is tried again" : "it was not begun; try again";
    answers_.push_back({std::move(at->second.ticket),
                        stored.ok ? told_of(stored.id, at->second.cancel)
                                  : refused({ErrorCode::io, "the replay could not be stored: " + next})});
    waiting_.erase(at);
  }
}

wire::AdminReply ReplayDesk::told_of(std::uint64_t id, bool cancelled) const {
  for (const Replays::View& view : b_.replays.views())
    if (view.replay.id == id) return reply_with(true, row_of(view));
  return reply_with(true, {{"cancelled", cancelled}});
}

wire::AdminReply ReplayDesk::list() const {
  json rows = json::array();
  for (const Replays::View& view : b_.replays.views()) rows.push_back(row_of(view));
  return reply_with(true, {{"replays", std::move(rows)}});
}

std::vector<ReplayDesk::Answer> ReplayDesk::take_answers() {
  take_stored();
  return std::exchange(answers_, {});
}

std::optional<Error> ReplayDesk::refusal_of_act(const json& body) const {
  const std::string name = body.value("topology", "");
  const auto at = std::ranges::find(b_.plan.topologies, name, &scheduler::TopologySpec::name);
  if (at == b_.plan.topologies.end() || !at->shadow) return std::nullopt;
  const auto index = static_cast<TopologyIndex>(at - b_.plan.topologies.begin());
  if (!b_.replays.runs(index))
    return Error{ErrorCode::not_found,
                 fmt::format("no replay runs in '{}'; see cape replay list", printable(name, 80))};
  const auto view = b_.replays.view_of(index);
  if (body.value("act", "") != "rewind" || body.value("sequence", Sequence{0}) >= view->replay.from)
    return std::nullopt;
  return Error{ErrorCode::conflict, fmt::format("replay '{}' begins at {}: rewind it to there or behind",
                                                view->replay.name, view->replay.from)};
}

}  // namespace cape::broker
