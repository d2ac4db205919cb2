#include "host/worker/session.hpp"

#include <sys/random.h>

#include <algorithm>
#include <span>

#include "core/clock.hpp"

namespace cape::host {
namespace {

constexpr std::int64_t lease_least_ns = 100 * ns_per_ms;
constexpr std::int64_t lease_most_ns = 3'600 * ns_per_s;
constexpr std::uint64_t message_outputs_max = 8u << 20;

SessionId random_session() {
  SessionId id = 0;
  while (id == 0) {
    const ssize_t got = ::getrandom(&id, sizeof id, 0);
    CAPE_CHECK(got == static_cast<ssize_t>(sizeof id));  // 8 bytes never fail once the machine is up
  }
  return id;
}

// How many of the statuses, at least one, go into a message that every broker takes.
std::size_t fitting(std::span<const wire::JobStatus> statuses) {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (; count < statuses.size() && count < wire::statuses_per_message_max; ++count) {
    for (const OutputPtr& output : statuses[count].outputs) bytes += output ? output->size() : 0;
    if (count > 0 && bytes > message_outputs_max) break;
  }
  return count;
}

}  // namespace

Session::Session(wire::HostEnd& transport, SessionOptions options)
    : transport_(transport),
      host_(std::move(options.host)),
      home_(options.home),
      lambdas_(std::move(options.lambdas)),
      labels_(std::move(options.labels)),
      jobs_max_(options.jobs_max),
      lease_ns_(options.lease_ns),
      new_session_(options.new_session ? std::move(options.new_session) : random_session) {}

void Session::begin(std::int64_t now_ns, std::vector<wire::PluginOffer> offers) {
  id_ = new_session_();
  welcomed_ = false;
  heartbeat_asked_ = false;
  hello_ns_ = heartbeat_ns_ = now_ns;
  send(wire::HostHello{.host = host_,
                       .home = home_,
                       .session = id_,
                       .lambdas = lambdas_,
                       .offers = std::move(offers),
                       .labels = labels_,
                       .jobs_max = jobs_max_});
}

void Session::close() {
  id_ = 0;
  unsent_.clear();  // all of it is about a session that nobody knows
}

void Session::offer(std::vector<wire::PluginOffer> offers) {
  std::erase_if(unsent_, [](const auto& old) { return std::holds_alternative<wire::HostOffers>(old); });
  send(wire::HostOffers{.session = id_, .offers = std::move(offers)});
}

void Session::credit(wire::HostCredit credit) {
  credit.session = id_;
  std::erase_if(unsent_, [&](const auto& old) {
    const auto* other = std::get_if<wire::HostCredit>(&old);
    return other != nullptr && other->lambda == credit.lambda;
  });
  send(std::move(credit));
}

void Session::report_statuses(std::vector<wire::JobStatus> statuses) {
  for (std::size_t at = 0, end = 0; at < statuses.size(); at = end) {
    end = at + fitting(std::span(statuses).subspan(at));
    const auto from = std::make_move_iterator(statuses.begin());
    send(wire::JobStatuses{
        .session = id_,
        .statuses = {from + static_cast<std::ptrdiff_t>(at), from + static_cast<std::ptrdiff_t>(end)}});
  }
}

void Session::report(wire::HostReport report) {
  report.session = id_;
  send(std::move(report));
}

void Session::goodbye() {
  send(wire::HostGoodbye{.session = id_});
}

void Session::send(wire::ToBroker message) {
  if (!is_open()) return;
  unsent_.push_back(std::move(message));
}

void Session::flush() {
  while (!unsent_.empty()) {
    if (const Result<void> sent = transport_.send(unsent_.front()); !sent) {
      trouble_ = sent.error().message;
      return;
    }
    unsent_.pop_front();
  }
}

std::optional<std::int64_t> Session::heartbeat_due_ns() const {
  if (!is_open()) return std::nullopt;
  return heartbeat_asked_ ? heartbeat_ns_ : heartbeat_ns_ + heartbeat_every_ns();
}

void Session::heartbeat(std::int64_t now_ns, std::vector<wire::RunningEvent> running) {
  heartbeat_ns_ = now_ns;
  heartbeat_asked_ = false;
  if (running.size() > wire::running_per_message_max) running.resize(wire::running_per_message_max);
  flush();                   // what was given in this turn is no reason to leave it out
  if (has_unsent()) return;  // it would arrive late and renew the lease for a time that is past
  send(wire::HostHeartbeat{.session = id_, .sent_ns = now_ns, .running = std::move(running)});
}

std::optional<std::int64_t> Session::take(const wire::BrokerWelcome& welcome) {
  if (!is_open() || welcome.session != id_) return std::nullopt;
  welcomed_ = true;
  if (welcome.lease_ms > 0 && welcome.lease_ms <= lease_most_ns / ns_per_ms) {
    lease_ns_ = std::max(welcome.lease_ms * ns_per_ms, lease_least_ns);
  }
  return hello_ns_ + lease_ns_;
}

std::optional<std::int64_t> Session::take(const wire::HeartbeatAnswer& answer) {
  if (!is_open() || answer.session != id_) return std::nullopt;
  if (answer.sent_ns < hello_ns_ || answer.sent_ns > heartbeat_ns_)
    return std::nullopt;  // not a time of ours
  return answer.sent_ns + lease_ns_;
}

bool Session::take(const wire::HelloPlease& please) {
  if (!is_open()) return false;
  heartbeat_asked_ |= please.session == 0;
  return please.session == id_ || please.session == wire::every_session;
}

}  // namespace cape::host
