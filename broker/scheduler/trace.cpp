#include "broker/scheduler/trace.hpp"

#include <fmt/format.h>

#include <iterator>

namespace cape::scheduler {
namespace {

template <class... Args>
void add(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

std::string quoted(const std::string& text) {
  return "'" + printable(text, reason_bytes_max) + "'";
}

std::string text_of(const EventRange& events) {
  if (events.count == 0) return "none";
  return fmt::format("{}..{} ({})", events.first_sequence(), events.last_sequence(), events.count);
}

std::string text_of(const Outcome& outcome) {
  return outcome.reason.empty() ? std::string(name_of(outcome.kind))
                                : fmt::format("{} {}", name_of(outcome.kind), quoted(outcome.reason));
}

std::string text_of(const storage::CursorInfo& info) {
  std::string out = fmt::format("latest {}", info.latest);
  for (const storage::TopologyCursor& topology : info.topologies)
    for (const storage::LambdaCursor& at : topology.lambdas) {
      add(out, ", {}.{} {}", topology.topology, at.lambda, at.cursor);
      if (at.attempts > 0)
        add(out, " attempts {} of {} next {}", at.attempts, at.failed_sequence, at.next_try_wall_ns);
      if (at.failing_since_wall_ns > 0) add(out, " failing since {}", at.failing_since_wall_ns);
      if (at.parked) out += " parked";
      for (const storage::SequenceRange& range : at.passed)
        add(out, " passed {}..{}", range.first, range.last);
      if (!at.reason.empty()) out += " " + quoted(at.reason);
      for (const storage::LateEvent& late : at.late.events) {
        add(out, " late {}", late.sequence);
        if (late.attempts > 0) add(out, " attempts {} next {}", late.attempts, late.next_try_wall_ns);
        if (late.parked) out += " parked";
      }
      if (at.late.more > 0) add(out, " and {} more late from {}", at.late.more, at.late.more_from);
    }
  for (const storage::FixedStart& start : info.starts)
    add(out, ", {} starts at {}", start.topology, start.cursor);
  for (const storage::TopologyCursor& topology : info.topologies)
    if (topology.paused) add(out, ", {} paused {}", topology.topology, quoted(topology.pause_reason));
  return out;
}

const char* name_of(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::attempt_failed:
      return "attempt_failed";
    case Notice::Kind::parked:
      return "parked";
    case Notice::Kind::host_lost:
      return "host_lost";
    case Notice::Kind::stale_status:
      return "stale_status";
    case Notice::Kind::source_went_back:
      return "source_went_back";
    case Notice::Kind::unreadable:
      return "unreadable";
    case Notice::Kind::late:
      return "late";
    case Notice::Kind::circuit_opened:
      return "circuit_opened";
    case Notice::Kind::circuit_closed:
      return "circuit_closed";
  }
  return "unknown";
}

struct InputText {
  std::string operator()(const SchedulingRequest& r) const {
    std::string out = fmt::format("request subject {} {} domain {} latest {} proven {}..{} events {}",
                                  r.subject, quoted(r.name), r.domain, r.latest, r.block->proven_from,
                                  r.block->proven_to, r.block->entries.size());
    if (r.inbox_generation > 0) add(out, " inbox {}", r.inbox_generation);
    if (!r.first) out += " further";
    if (!r.last) out += " more";
    if (!r.whole) out += " partial";
    if (r.gone) out += " gone";
    if (!r.unreadable.empty()) add(out, " unreadable {}", quoted(r.unreadable));
    if (r.stored) add(out, " stored [{}]", text_of(*r.stored));
    return out;
  }
  std::string operator()(const ReadFailed& r) const { return fmt::format("read_failed subject {}", r.subject); }
  std::string operator()(const HostUp& h) const {
    std::string out = fmt::format("host_up {} {}", h.host, quoted(h.name));
    if (h.jobs_max > 0) add(out, " jobs {}", h.jobs_max);
    return out;
  }
  std::string operator()(const HostGone& h) const {
    return fmt::format("host_gone {}{}", h.host, h.clean ? " clean" : "");
  }
  std::string operator()(const Credit& c) const {
    return fmt::format("credit host {} lambda {} jobs {} {}", c.host, c.lambda, c.jobs_max,
                       quoted(c.trouble));
  }
  std::string operator()(const Status& s) const {
    const wire::JobStatus& j = s.status;
    std::string out = fmt::format("status host {} job {} done_to {} {} failed {}{}", s.host, j.job, j.done_to,
                                  text_of(j.end), j.failed_sequence, j.started ? " started" : "");
    for (const OutputPtr& output : j.outputs) add(out, " {}", output ? quoted(*output) : "-");
    return out;
  }
  std::string operator()(const Heartbeat& h) const {
    std::string out = fmt::format("heartbeat host {}", h.host);
    for (const wire::RunningEvent& e : h.running) add(out, " job {} at {}", e.job, e.sequence);
    return out;
  }
  std::string operator()(const CursorSaved& s) const {
    return fmt::format("saved subject {} version {}", s.subject, s.version);
  }
  std::string operator()(const CursorSaveFailed& s) const {
    return fmt::format("save_failed subject {} version {}", s.subject, s.version);
  }
  std::string operator()(const Tick&) const { return "tick"; }
  std::string operator()(const Command& c) const {
    std::string out =
        fmt::format("command {} {} topology {} subject {} {} domain {} sequence {} {}", c.id, name_of(c.act),
                    c.topology, c.subject, quoted(c.name), c.domain, c.sequence, quoted(c.reason));
    if (c.stored) add(out, " stored [{}]", text_of(*c.stored));
    return out;
  }
  std::string operator()(const PauseTopology& p) const {
    return fmt::format("{} topology {} {}", p.paused ? "pause" : "resume", p.topology, quoted(p.reason));
  }
  std::string operator()(const BaselineDone& b) const {
    return fmt::format("baseline_done topology {}", b.topology);
  }
  std::string operator()(const EarlierJobs& e) const {
    return fmt::format("earlier_jobs {}", e.may_run ? "may run" : "have ended");
  }
  std::string operator()(const EndShadow& e) const {
    return fmt::format("end_shadow topology {}", e.topology);
  }
  std::string operator()(const Split& s) const {
    return fmt::format("split lambda {} share {}{}", s.lambda, s.share, s.stable_in_twin ? " stable in twin" : "");
  }
};

struct ActionText {
  std::string operator()(const IssueJob& j) const {
    std::string out =
        fmt::format("issue job {} host {} lambda {} subject {} {} events {} attempt {}{} hash {} ping {}",
                    j.job, j.host, j.lambda, j.subject, quoted(j.name), text_of(j.events), j.attempt,
                    j.may_repeat ? " may_repeat" : "", quoted(j.hash), j.ping_ns);
    if (j.late) out += " late";
    if (j.outputs_bytes_max > 0) add(out, " outputs {}", j.outputs_bytes_max);
    for (const wire::JobInput& input : j.inputs) {
      add(out, " from {}", quoted(input.lambda));
      for (const OutputPtr& output : input.outputs) add(out, " {}", output ? quoted(*output) : "-");
    }
    return out;
  }
  std::string operator()(const SaveCursor& s) const {
    std::string out =
        fmt::format("save subject {} {} version {}{}{} inbox {} [{}]", s.subject, quoted(s.name), s.version,
                    s.behind ? " behind" : "", s.sync ? " sync" : "", s.inbox_generation, text_of(s.info));
    for (const storage::AuditEntry& entry : s.audit)
      add(out, " audit {} {} {}..{} {}", entry.act, entry.topology, entry.from, entry.to,
          quoted(entry.reason));
    return out;
  }
  std::string operator()(const CancelJob& j) const {
    return fmt::format("cancel job {} host {}", j.job, j.host);
  }
  std::string operator()(const PingAgain& p) const {
    return fmt::format("ping_again subject {} {} domain {}", p.subject, quoted(p.name), p.domain);
  }
  std::string operator()(const WalkBehind&) const { return "walk_behind"; }
  std::string operator()(const CommandDone& c) const {
    return fmt::format("command_done {} {}..{} {}", c.id, c.from, c.to, quoted(c.refusal));
  }
  std::string operator()(const Notice& n) const {
    return fmt::format(
        "notice {} host {} topology {} lambda {} subject {} sequence {} attempts {} next {} {}",
        name_of(n.kind), n.host, n.topology, n.lambda, quoted(n.subject), n.sequence, n.attempts,
        n.next_try_ns, text_of(n.outcome));
  }
};

}  // namespace

std::string to_text(const Input& input) {
  return std::visit(InputText{}, input);
}
std::string to_text(const Action& action) {
  return std::visit(ActionText{}, action);
}

std::string to_text(std::span<const Action> actions) {
  std::string out;
  for (const Action& action : actions) out += to_text(action) + "\n";
  return out;
}

}  // namespace cape::scheduler
