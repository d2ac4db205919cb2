#include "broker/perform.hpp"

#include <optional>
#include <variant>

#include "core/log.hpp"

namespace cape::broker {
namespace {

using scheduler::Notice;

struct Performer {
  BrokerState& b;
  Now now;

  void operator()(scheduler::IssueJob& job) {
    b.latencies.on_issue(job);
    b.publisher.add(std::move(job));
  }
  void operator()(scheduler::SaveCursor& save) { b.saver.save(std::move(save), now.boot_ns); }
  void operator()(const scheduler::CancelJob& job) { b.publisher.cancel(job); }
  void operator()(const scheduler::PingAgain& ping) {
    b.tracker.ping({.domain = ping.domain, .subject = ping.name, .ping_ns = now.boot_ns, .must = true});
  }
  void operator()(const scheduler::WalkBehind&) {
    b.refresh.walk_behind();
    b.replays.walk();
  }
  void operator()(const scheduler::CommandDone& done) { b.operators.on_done(done); }
  void operator()(const Notice& notice) {
    switch (notice.kind) {
      case Notice::Kind::attempt_failed:
      case Notice::Kind::parked:
      case Notice::Kind::unreadable:
      case Notice::Kind::source_went_back:
        return failed(notice);
      case Notice::Kind::late:
        if (const auto line = b.failure_log.line(notice, now.boot_ns)) log::warning("broker", "{}", *line);
        return;
      case Notice::Kind::circuit_opened:
        return log::warning(
            "broker",
            "{}: whatever it is given fails, the last time with {}: {}; from now on single jobs try it",
            lambda_name(notice), name_of(notice.outcome.kind), notice.outcome.reason);
      case Notice::Kind::circuit_closed:
        return log::info("broker", "{}: it does its work again", lambda_name(notice));
      case Notice::Kind::host_lost:
        b.hosts.on_lost(notice.host);
        b.latencies.on_host_gone(notice.host);
        log::error("broker", "a host was lost: {}", notice.outcome.reason);
        return;
      case Notice::Kind::stale_status:
        return;  // counted by the scheduler
    }
  }

  std::string lambda_name(const Notice& notice) const {
    return b.plan.topologies[notice.topology].name + "." + b.plan.lambdas[notice.lambda].name;
  }

  void failed(const Notice& notice) {
    b.last_failures[notice.topology] = {
        notice.subject, fmt::format("{}: {}", name_of(notice.outcome.kind), notice.outcome.reason),
        notice.sequence};
    const std::optional<std::string> line = b.failure_log.line(notice, now.boot_ns);
    if (!line) return;
    const bool of_source =
        notice.kind == Notice::Kind::source_went_back || notice.kind == Notice::Kind::unreadable;
    log::write(of_source ? log::Level::error : log::Level::warning, "broker", *line);
  }
};

}  // namespace

void perform(BrokerState& broker, scheduler::Actions actions, Now now) {
  Performer performer{broker, now};
  for (scheduler::Action& action : actions) std::visit([&](auto& a) { performer(a); }, action);
}

}  // namespace cape::broker
