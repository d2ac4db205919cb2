#include "broker/perform.hpp"

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
  void operator()(const scheduler::WalkBehind&) { b.refresh.walk_behind(); }
  void operator()(const Notice& notice) {
    switch (notice.kind) {
      case Notice::Kind::attempt_failed:
      case Notice::Kind::parked: return failed(notice);
      case Notice::Kind::source_went_back:
        log::error("broker", "{}: '{}' is parked: {}", b.plan.topologies[notice.topology].name,
                   printable(notice.subject, 80), notice.outcome.reason);
        return;
      case Notice::Kind::host_lost:
        b.hosts.on_lost(notice.host);
        b.latencies.on_host_gone(notice.host);
        log::error("broker", "a host was lost: {}", notice.outcome.reason);
        return;
      case Notice::Kind::stale_status: return;  // counted by the scheduler
    }
  }

  void failed(const Notice& notice) {
    const bool parked = notice.kind == Notice::Kind::parked;
    const std::string& topology = b.plan.topologies[notice.topology].name;
    b.last_failures[notice.topology] = {notice.subject, fmt::format("{}: {}", name_of(notice.outcome.kind), notice.outcome.reason),
                                        notice.sequence};
    const std::string next = parked ? "parked: it waits for an operator"
                                    : fmt::format("next try in {} ms", (notice.next_try_ns - now.boot_ns) / ns_per_ms);
    log::warning("broker", "{}.{}: event {} of '{}' failed (attempt {}): {} {}; {}", topology,
                 b.plan.lambdas[notice.lambda].name, notice.sequence, printable(notice.subject, 80), notice.attempts,
                 name_of(notice.outcome.kind), notice.outcome.reason, next);
  }
};

}  // namespace

void perform(BrokerState& broker, scheduler::Actions actions, Now now) {
  Performer performer{broker, now};
  for (scheduler::Action& action : actions) std::visit([&](auto& a) { performer(a); }, action);
}

}  // namespace cape::broker
