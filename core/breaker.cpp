#include "core/breaker.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape {

std::int64_t Breaker::ready_ns(bool fresh) const {
  const Probe& probe = fresh ? fresh_ : failed_before_;
  if (probe.out == 0) return probe.next_ns;
  return fresh ? std::max(probe.next_ns, probe.since_ns + policy_.wait_first_ns) : INT64_MAX;
}

void Breaker::begin_probe(std::uint64_t id, bool fresh, std::int64_t now_ns) {
  CAPE_CHECK(open_ && id != 0 && admits(fresh, now_ns));
  Probe& probe = fresh ? fresh_ : failed_before_;
  probe.out = id;
  probe.since_ns = now_ns;
  ++probes_;
}

void Breaker::on_success() {
  open_ = false;
  failed_.clear();
}

void Breaker::on_failure(std::uint64_t subject, std::uint64_t id, std::int64_t now_ns) {
  if (policy_.subjects == 0) return;
  if (!open_) {
    if (std::ranges::find(failed_, subject) == failed_.end()) failed_.push_back(subject);
    if (failed_.size() >= policy_.subjects) open(now_ns);
    return;
  }
  for (Probe* probe : {&fresh_, &failed_before_}) {
    if (probe->out != id) continue;
    probe->out = 0;
    probe->wait_ns = std::min(policy_.wait_max_ns, std::max(policy_.wait_first_ns, 2 * probe->wait_ns));
    probe->next_ns = now_ns + probe->wait_ns;
  }
}

void Breaker::on_end(std::uint64_t id) {
  for (Probe* probe : {&fresh_, &failed_before_})
    if (probe->out == id) probe->out = 0;
}

void Breaker::open(std::int64_t now_ns) {
  open_ = true;
  opened_ns_ = now_ns;
  ++times_opened_;
  failed_.clear();
  fresh_ = {.next_ns = now_ns};
  failed_before_ = {.next_ns = now_ns + policy_.wait_first_ns, .wait_ns = policy_.wait_first_ns};
}

}  // namespace cape
