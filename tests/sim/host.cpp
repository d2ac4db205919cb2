#include "tests/sim/host.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cape::sim {
namespace {

using scheduler::Promise;

constexpr std::int64_t look_every_ns = 40 * ms;
constexpr std::uint64_t turns_a_ms_max = 1'000;
constexpr std::int64_t slack_ns = 2 * ms;  // what a wake-up may take, and more
constexpr std::int64_t send_again_ns = ms, send_again_most_ns = 100 * ms;

host::SessionOptions session_options(const HostSpec& spec) {
  return {.host = spec.name,
          .home = spec.home,
          .lambdas = spec.lambdas,
          .jobs_max = spec.jobs_max,
          .lease_ns = spec.lease_ns,
          .new_session = [next = spec.first_session]() mutable { return next++; }};
}

}  // namespace

void HostMet::add(const HostMet& o) {
  sessions += o.sessions, child_starts += o.child_starts, take_backs += o.take_backs, kills += o.kills;
  cancels += o.cancels, fenced += o.fenced, drained += o.drained, ring_full += o.ring_full;
}

Host::Host(Fate& fate, Outside& outside, std::unique_ptr<wire::HostEnd> end, HostSpec spec, HostMet& met)
    : fate_(fate),
      outside_(outside),
      met_(met),
      end_(std::move(end)),
      spec_(std::move(spec)),
      worker_(spec_.plan),
      session_(*end_, session_options(spec_)),
      held_of_(spec_.plan.lambdas.size()) {
  serve(spec_.hash);
  begin_session();
  turn_at(fate_.now_ns());
}

void Host::wake() {
  turn_at(fate_.now_ns() + fate_.some(0, ms / 5));
}

void Host::turn_at(std::int64_t at_ns) {
  if (turn_ns_ != 0 && turn_ns_ <= at_ns) return;
  turn_ns_ = at_ns;
  fate_.at(at_ns - fate_.now_ns(), life_, [this, at_ns] {
    if (turn_ns_ != at_ns) return;  // an earlier one came between
    turn_ns_ = 0;
    if (hangs_until_ns_ > fate_.now_ns()) return turn_at(hangs_until_ns_);
    turn();
  });
}

void Host::check_spin() {
  if (fate_.now_ns() - window_ns_ >= ms) {
    window_ns_ = fate_.now_ns();
    turns_in_window_ = 0;
  }
  if (++turns_in_window_ > turns_a_ms_max)
    outside_.violate(Promise::spin, fmt::format("{} turns without end while time hardly passes", spec_.name));
}

void Host::turn() {
  if (ended_) return;
  check_spin();
  poll_rung();
  receive();
  gather();
  decide_and_do();
  finish_turn();
  check_isolation();
  if (!drained_) return turn_at(std::max(next_ns(), fate_.now_ns() + 1));
  ++met_.drained;
  session_.goodbye();
  session_.flush();
  ended_ = true;
}

// ---- what came

void Host::receive() {
  while (std::optional<wire::ToHost> message = end_->receive())
    std::visit([this](const auto& m) { take(m); }, *message);
}

void Host::take(const wire::RunJobs& jobs) {
  if (!session_.is_current(jobs.session)) return;
  for (const wire::RunJob& job : jobs.jobs) {
    const std::uint32_t most = spec_.plan.lambdas.at(job.lambda).children_max * spec_.plan.jobs_per_child;
    if (++held_of_[job.lambda] > most)
      outside_.violate(Promise::bounds, fmt::format("job {} is more than {} takes", job.job, spec_.name));
    if (!held_.emplace(job.job, HeldHere{job.lambda}).second)
      outside_.violate(Promise::fence, fmt::format("job {} came twice to {}", job.job, spec_.name));
    inputs_.emplace_back(host::JobArrived{job});
  }
}

void Host::take(const wire::CancelJob& cancel) {
  if (session_.is_current(cancel.session)) inputs_.emplace_back(host::CancelAsked{cancel.job});
}

void Host::take(const wire::HelloPlease& please) {
  if (!session_.take(please)) return;
  session_.close();
  set_lease_end(0);
  held_.clear();
  std::ranges::fill(held_of_, 0);
  statuses_.clear();
  inputs_.emplace_back(host::SessionEnded{});
}

void Host::renew_lease(std::optional<std::int64_t> end_ns) {
  if (!end_ns) return;
  set_lease_end(*end_ns);
  inputs_.emplace_back(host::LeaseRenewed{*end_ns});
}

void Host::set_lease_end(std::int64_t end_ns) {
  lease_end_ns_ = end_ns;
  for (auto& [id, child] : children_) child->set_lease_end(end_ns);
}

void Host::serve(std::string hash) {
  spec_.hash = std::move(hash);
  const std::string trouble = spec_.hash.empty() ? "no such plugin" : "";
  for (LambdaIndex lambda = 0; lambda < spec_.plan.lambdas.size(); ++lambda)
    inputs_.emplace_back(host::PluginServes{.lambda = lambda, .hash = spec_.hash, .trouble = trouble});
  session_.offer(offers());
  wake();
}

std::vector<wire::PluginOffer> Host::offers() const {
  if (spec_.hash.empty()) return {};
  return {{.id = "p", .version = "1", .hash = spec_.hash, .file = "p.so"}};
}

void Host::drain() {
  inputs_.emplace_back(host::DrainAsked{});
  wake();
}

void Host::begin_session() {
  ++met_.sessions;
  session_.begin(fate_.now_ns(), offers());
  inputs_.emplace_back(host::SessionStarted{});
}

// ---- the children

Child* Host::find(host::ChildId id) {
  const auto at = children_.find(id);
  return at == children_.end() ? nullptr : at->second.get();
}

void Host::poll(host::ChildId id) {
  Child* child = find(id);
  if (!child) return;
  std::vector<child::LambdaReport> reports;
  child->poll(reports);
  bool has_ended = false;
  for (child::LambdaReport& report : reports) {
    has_ended = std::holds_alternative<child::ChildEnded>(report);
    if (const auto* done = std::get_if<child::ChildJobDone>(&report)) {
      moved_ns_[id] = fate_.now_ns();
      note_end(done->status);
    }
    if (const auto* ended = std::get_if<child::ChildEnded>(&report))
      for (const wire::JobStatus& left : ended->left) note_end(left);
    inputs_.emplace_back(host::ChildReported{.child = id, .report = std::move(report)});
  }
  if (!has_ended) return;
  for (auto& [job, held] : held_)
    if (held.child == id) held.child = 0;
  children_.erase(id);
  moved_ns_.erase(id);
}

// A child has let go of the job.
void Host::note_end(const wire::JobStatus& status) {
  const auto at = held_.find(status.job);
  if (at == held_.end()) return;
  at->second.child = 0;
  if (status.started && status.failed_sequence != 0) at->second.failed = status.failed_sequence;
}

void Host::poll_rung() {
  for (host::ChildId id : std::exchange(rung_, {})) poll(id);
}

void Host::gather() {
  const std::optional<std::int64_t> deadline = worker_next_ns_;
  const bool watched = worker_.has_jobs() || any_starting();
  const bool beats = session_.heartbeat_due_ns().value_or(fate_.now_ns() + 1) <= fate_.now_ns();
  if ((watched && fate_.now_ns() - looked_ns_ >= look_every_ns) ||
      (deadline && *deadline <= fate_.now_ns()) || beats)
    look();
}

void Host::look() {
  looked_ns_ = fate_.now_ns();
  std::vector<host::ChildId> ids;
  for (const auto& [id, child] : children_) ids.push_back(id);
  for (host::ChildId id : ids) poll(id);
  for (auto& [id, child] : children_)
    if (child->has_jobs()) inputs_.emplace_back(host::ChildLooked{.child = id, .running = child->look()});
  inputs_.emplace_back(host::TimePassed{});
}

bool Host::any_starting() const {
  return std::ranges::any_of(children_, [](const auto& entry) { return !entry.second->is_ready(); });
}

// ---- what the worker decided

void Host::decide_and_do() {
  while (!inputs_.empty()) {
    std::vector<host::Input> inputs = std::exchange(inputs_, {});
    for (host::Action& action : worker_.step(fate_.now_ns(), inputs))
      std::visit([this](auto& what) { perform(what); }, action);
    for (host::ChildId id : std::exchange(taken_back_, {})) poll(id);
  }
  worker_next_ns_ = worker_.next_deadline();
}

void Host::perform(const host::StartChild& action) {
  ++met_.child_starts;
  if (fate_.trouble(0.01)) {
    inputs_.emplace_back(host::StartFailed{action.child, "no process could be made"});
    return;
  }
  auto child = std::make_unique<Child>(fate_, outside_,
                                       Child::Spec{.lambda = spec_.lambda_of[action.lambda],
                                                   .slot = action.lambda,
                                                   .hash = action.hash,
                                                   .kill_ns = spec_.kill_ns},
                                       [this, id = action.child] {
                                         rung_.insert(id);
                                         wake();
                                       });
  child->set_lease_end(lease_end_ns_);
  children_.emplace(action.child, std::move(child));
}

void Host::perform(const host::GiveJob& action) {
  Child* child = find(action.child);
  if (!held_.contains(action.job->job))
    outside_.violate(Promise::fence, fmt::format("job {} is given to a child and is over", action.job->job));
  HeldHere& held = held_[action.job->job];
  if (held.child != 0 && find(held.child))
    outside_.violate(Promise::fence, fmt::format("job {} is given to two children", action.job->job));
  if (child && child->submit(*action.job, action.singly)) {
    held.child = action.child;
    return;
  }
  ++met_.ring_full;
  inputs_.emplace_back(host::JobRefused{.child = action.child, .job = action.job->job});
}

void Host::perform(const host::TakeBack& action) {
  ++met_.take_backs;
  if (Child* child = find(action.child)) child->take_back();
  taken_back_.push_back(action.child);
}

void Host::perform(const host::CancelChild& action) {
  ++met_.cancels;
  if (Child* child = find(action.child)) child->cancel();
}

void Host::perform(host::KillChild& action) {
  ++met_.kills;
  met_.fenced += action.why.reason == "the host's lease is over";
  if (Child* child = find(action.child)) child->kill(std::move(action.why));
}

void Host::perform(const host::StopChild& action) {
  if (Child* child = find(action.child)) child->stop();
}

void Host::perform(host::ReportStatus& action) {
  const auto held = held_.find(action.status.job);
  if (held == held_.end()) {
    outside_.violate(Promise::fence,
                     fmt::format("{} reports job {}, which it does not have", spec_.name, action.status.job));
    return;
  }
  if (held->second.child != 0 && find(held->second.child))
    outside_.violate(Promise::fence, fmt::format("{} reports job {}, which a child still has", spec_.name,
                                                 action.status.job));
  const Sequence failed = held->second.failed;
  if (failed != 0 && (!action.status.started || action.status.failed_sequence != failed))
    outside_.violate(Promise::told, fmt::format("{} does not tell that event {} of job {} failed", spec_.name,
                                                failed, action.status.job));
  --held_of_[held->second.lambda];
  held_.erase(held);
  statuses_.push_back(std::move(action.status));
}

void Host::perform(host::ReportCredit& action) {
  session_.credit({.session = 0,
                   .lambda = action.lambda,
                   .jobs_max = action.jobs_max,
                   .hash = std::move(action.hash),
                   .trouble = std::move(action.trouble)});
}

void Host::finish_turn() {
  if (!statuses_.empty()) session_.report_statuses(std::exchange(statuses_, {}));
  if (session_.heartbeat_due_ns().value_or(fate_.now_ns() + 1) <= fate_.now_ns())
    session_.heartbeat(fate_.now_ns(), worker_.running());
  session_.flush();
  send_pause_ns_ =
      session_.has_unsent() ? std::clamp(2 * send_pause_ns_, send_again_ns, send_again_most_ns) : 0;
}

std::int64_t Host::next_ns() const {
  std::int64_t next = fate_.now_ns() + 3600 * ns_per_s;
  const auto sooner = [&](std::optional<std::int64_t> at_ns) { next = std::min(next, at_ns.value_or(next)); };
  sooner(worker_next_ns_);
  sooner(session_.heartbeat_due_ns());
  if (worker_.has_jobs() || any_starting()) sooner(looked_ns_ + look_every_ns);
  if (session_.has_unsent()) sooner(fate_.now_ns() + send_pause_ns_);
  return next;
}

void Host::check_isolation() {
  for (const auto& [id, child] : children_) {
    const std::int64_t since_ns = std::max(child->holds_up_since_ns(), moved_ns_[id]);
    if (child->holds_up_since_ns() == 0 || !child->lives_on() || child->hash() != spec_.hash) continue;
    if (fate_.now_ns() - since_ns <= spec_.plan.take_back_ns + slack_ns || !is_free_beside(*child)) continue;
    outside_.violate(Promise::isolation,
                     fmt::format("at {} a job of lambda {} lies behind a slow event, and a child is free",
                                 spec_.name, child->lambda()));
  }
}

// Another child could be started, or has nothing to do, as far as was heard of it: its doorbell may be lost.
bool Host::is_free_beside(const Child& slow) const {
  std::uint32_t count = 0;
  bool idle = false;
  for (const auto& [id, other] : children_) {
    if (other->slot() != slow.slot()) continue;
    ++count;
    const auto is_its = [child = id](const auto& entry) { return entry.second.child == child; };
    idle |= other.get() != &slow && other->lives_on() && other->hash() == spec_.hash &&
            std::ranges::none_of(held_, is_its);
  }
  return idle || count < spec_.plan.lambdas[0].children_max;
}

std::vector<std::unique_ptr<Child>> Host::die() {
  std::vector<std::unique_ptr<Child>> left;
  for (auto& [id, child] : children_) {
    child->lose_host();
    left.push_back(std::move(child));
  }
  return left;
}

}  // namespace cape::sim
