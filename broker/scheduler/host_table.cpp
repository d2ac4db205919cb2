#include "broker/scheduler/host_table.hpp"

#include <algorithm>
#include <utility>

namespace cape::scheduler {

void HostTable::add(HostId id, std::string name, std::uint32_t jobs_max, std::int64_t now_ns) {
  const auto at = std::ranges::lower_bound(hosts_, id, {}, &Host::id);
  if (at != hosts_.end() && at->id == id) return;
  Host host{.id = id,
            .name = std::move(name),
            .heartbeat_ns = now_ns,
            .jobs_max = jobs_max,
            .credits = {},
            .running = {}};
  host.credits.resize(lambdas_);
  hosts_.insert(at, std::move(host));
}

const Host* HostTable::find(HostId id) const {
  const auto at = std::ranges::lower_bound(hosts_, id, {}, &Host::id);
  return at != hosts_.end() && at->id == id ? &*at : nullptr;
}

void HostTable::remove(HostId id) {
  std::erase_if(hosts_, [id](const Host& host) { return host.id == id; });
}

Host* HostTable::with_room(LambdaIndex lambda) {
  Host* best = nullptr;
  for (Host& host : hosts_) {
    const std::uint32_t room = host.room(lambda);
    if (room > 0 && (best == nullptr || room > best->room(lambda))) best = &host;
  }
  return best;
}

bool HostTable::share_places() const {
  return std::ranges::any_of(hosts_, [](const Host& host) { return host.jobs_max > 0; });
}

bool HostTable::takes(LambdaIndex lambda) const {
  return std::ranges::any_of(hosts_, [&](const Host& host) { return host.credits[lambda].jobs_max > 0; });
}

std::uint32_t HostTable::jobs_of(LambdaIndex lambda) const {
  std::uint32_t jobs = 0;
  for (const Host& host : hosts_) jobs += host.credits[lambda].jobs_out;
  return jobs;
}

std::string HostTable::trouble(LambdaIndex lambda) const {
  std::string why;
  for (const Host& host : hosts_) {
    const HostCredit& credit = host.credits[lambda];
    if (credit.jobs_max > 0) return {};
    if (why.empty() && !credit.trouble.empty()) why = "host " + host.name + ": " + credit.trouble;
  }
  return why;
}

const Host* HostTable::first_lost(std::int64_t now_ns) const {
  const auto at = std::ranges::find_if(
      hosts_, [&](const Host& host) { return now_ns > host.heartbeat_ns + silence_ns_; });
  return at == hosts_.end() ? nullptr : &*at;
}

std::optional<std::int64_t> HostTable::next_deadline() const {
  std::optional<std::int64_t> next;
  for (const Host& host : hosts_) {
    const std::int64_t lost_at = host.heartbeat_ns + silence_ns_ + 1;
    if (!next || lost_at < *next) next = lost_at;
  }
  return next;
}

}  // namespace cape::scheduler
