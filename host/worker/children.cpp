#include "host/worker/children.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "core/log.hpp"
#include "host/worker/crash_record.hpp"

namespace cape::host {

Children::Entry* Children::find(ChildId child) {
  const auto found = children_.find(child);
  return found == children_.end() ? nullptr : &found->second;
}

Result<void> Children::start(const StartChild& what, const child::ChildSpec& spec) {
  Result<std::unique_ptr<child::LambdaChild>> started = child::start_lambda_child(spec, &spare_);
  if (!started) return std::unexpected(started.error());
  epoll_event event{.events = EPOLLIN, .data = {.u64 = first_tag_ + what.child}};
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, (*started)->fd(), &event) != 0) {
    return fail_errno(ErrorCode::io, "cannot wait for a new child", errno);
  }
  if (lease_end_ns_ != 0) (*started)->set_lease_end(lease_end_ns_);
  Entry entry{.process = std::move(*started), .report = {}, .name = spec.topology + "/" + spec.lambda};
  entry.report = {.lambda = what.lambda,
                  .plugin = spec.image->id,
                  .version = spec.image->version,
                  .hash = spec.image->hash,
                  .pid = entry.process->pid(),
                  .layers = {},
                  .missing = {}};
  forget_others(what.lambda, spec.image->hash);
  children_.emplace(what.child, std::move(entry));
  ++starts_;
  changed_ = true;
  return {};
}

// What is counted of bytes that no child runs any more; a plugin may be replaced a hundred times a second.
void Children::forget_others(LambdaIndex lambda, const std::string& hash) {
  std::erase_if(unasked_ends_, [&](const auto& counted) {
    const auto& [its_lambda, its_hash] = counted.first;
    return its_lambda == lambda && its_hash != hash && std::ranges::none_of(children_, [&](const auto& child) {
      return child.second.report.lambda == lambda && child.second.report.hash == its_hash;
    });
  });
}

bool Children::give(const GiveJob& job) {
  Entry* entry = find(job.child);
  if (entry == nullptr || !entry->process->submit(*job.job, job.singly)) return false;
  entry->had_jobs = true;
  if (!std::exchange(entry->has_new_jobs, true)) to_wake_.push_back(job.child);
  return true;
}

void Children::wake() {
  for (const ChildId child : to_wake_) {
    Entry* entry = find(child);
    if (entry == nullptr) continue;
    entry->has_new_jobs = false;
    entry->process->wake();
  }
  to_wake_.clear();
}

void Children::take_back(ChildId child) {
  Entry* entry = find(child);
  if (entry == nullptr) return;
  entry->process->take_back();
  taken_back_.push_back(child);
}

void Children::cancel(ChildId child) {
  if (Entry* entry = find(child)) entry->process->cancel();
}

void Children::kill(ChildId child, Outcome why) {
  Entry* entry = find(child);
  if (entry == nullptr) return;
  log::warning("host", "killing the child of {} (pid {}): {}: {}", entry->name, entry->process->pid(),
               name_of(why.kind), why.reason);
  entry->process->kill(std::move(why));
}

void Children::stop(const StopChild& what) {
  Entry* entry = find(what.child);
  if (entry == nullptr) return;
  if (!what.recycled.empty()) {
    log::warning("host", "the child of {} (pid {}) is replaced: {}", entry->name, entry->process->pid(),
                 what.recycled);
    ++recycled_of_[entry->report.lambda];
  }
  entry->makes_way = true;
  entry->process->stop();
}

void Children::poll(ChildId child, std::vector<Input>& out) {
  Entry* entry = find(child);
  if (entry == nullptr) return;
  std::vector<child::LambdaReport> reports;
  entry->process->poll(reports);
  changed_ |= entry->counts && !reports.empty();
  for (child::LambdaReport& report : reports) {
    note(*entry, report);
    const bool ended = std::holds_alternative<child::ChildEnded>(report);
    out.emplace_back(ChildReported{.child = child, .report = std::move(report)});
    if (!ended) continue;
    ended_metrics_.ended(entry->report.lambda, entry->process->metrics());
    if (!entry->makes_way) ++unasked_ends_[{entry->report.lambda, entry->report.hash}];
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry->process->fd(), nullptr);
    children_.erase(child);
    return;
  }
}

void Children::poll_all(std::vector<Input>& out) {
  std::vector<ChildId> ids;
  for (const auto& [id, entry] : children_) ids.push_back(id);
  for (const ChildId id : ids) poll(id, out);
}

void Children::poll_taken_back(std::vector<Input>& out) {
  for (const ChildId id : std::exchange(taken_back_, {})) poll(id, out);
}

void Children::look(std::vector<Input>& out) {
  for (auto& [id, entry] : children_) {
    if (entry.process->jobs_out() > 0)
      out.emplace_back(ChildLooked{.child = id, .running = entry.process->running()});
  }
}

void Children::measure(std::int64_t now_ns, std::vector<Input>& out) {
  for (auto& [id, entry] : children_) {
    const std::optional<child::ChildUsage> usage = entry.process->usage();
    if (!usage) continue;
    note_usage(entry, *usage);
    out.emplace_back(ChildUsed{.child = id, .resident_bytes = usage->resident_bytes});
    const bool busy = std::exchange(entry.had_jobs, false) || entry.process->jobs_out() > 0;
    if (const auto share = entry.cpu.looked(now_ns, usage->cpu_ms, busy))
      log::warning(
          "host",
          "the child of {} (pid {}) uses {:.0f} % of a core though it has no event: threads that its "
          "plugin left running? limits.cpu bounds it",
          entry.name, entry.report.pid, *share * 100);
  }
}

// Reports go out on change: what a person could not see in a list is none.
void Children::note_usage(Entry& entry, const child::ChildUsage& usage) {
  constexpr std::uint64_t cpu_step_ms = 100, resident_step_bytes = 1u << 20;
  wire::ChildReport& told = entry.report;
  const std::uint64_t more = std::max(usage.resident_bytes, told.resident_bytes);
  const std::uint64_t less = std::min(usage.resident_bytes, told.resident_bytes);
  if (usage.cpu_ms < told.cpu_ms + cpu_step_ms && more - less < resident_step_bytes) return;
  told.cpu_ms = usage.cpu_ms;
  told.resident_bytes = usage.resident_bytes;
  changed_ = true;
}

bool Children::any_starting() const {
  return std::ranges::any_of(children_, [](const auto& child) { return !child.second.ready; });
}

void Children::keep_spare() {
  if (spare_.is_due() && !any_starting()) spare_.refill();
}

void Children::set_lease_end(std::int64_t boot_ns) {
  lease_end_ns_ = boot_ns;
  for (auto& [id, entry] : children_) entry.process->set_lease_end(boot_ns);
}

std::vector<wire::ChildReport> Children::reports() const {
  std::vector<wire::ChildReport> reports;
  for (const auto& [id, entry] : children_) {
    reports.push_back(entry.report);
    const auto recycled = recycled_of_.find(entry.report.lambda);
    if (recycled != recycled_of_.end()) reports.back().recycled = recycled->second;
    const auto ends = unasked_ends_.find({entry.report.lambda, entry.report.hash});
    if (ends != unasked_ends_.end()) reports.back().restarts = ends->second;
  }
  return reports;
}

std::vector<wire::LambdaMetric> Children::metrics() const {
  MetricTotals totals = ended_metrics_;
  for (const auto& [id, entry] : children_)
    if (entry.counts) totals.add(entry.report.lambda, entry.process->metrics());
  return totals.all();
}

void Children::note(Entry& entry, const child::LambdaReport& report) {
  if (const auto* line = std::get_if<child::ChildLog>(&report)) {
    const auto level = static_cast<log::Level>(std::clamp(line->severity, 0, 3));
    const std::string lost =
        line->dropped > 0 ? fmt::format(" ({} lines before it were dropped)", line->dropped) : "";
    log::write(level, "plugin", fmt::format("{}: {}{}", entry.name, line->text, lost));
  }
  if (const auto* ready = std::get_if<child::ChildReady>(&report)) {
    entry.ready = changed_ = true;
    entry.counts = !entry.process->metrics().empty();
    entry.report.level = ready->sandbox.level;
    entry.report.layers = ready->sandbox.layers;
    entry.report.missing = ready->sandbox.missing;
    log::info("host", "{} runs {} {} ({}) in pid {}, sandbox level {}", entry.name, entry.report.plugin,
              entry.report.version, entry.report.hash.substr(0, 8), entry.report.pid, entry.report.level);
  }
  if (const auto* ended = std::get_if<child::ChildEnded>(&report)) say_end(entry, *ended);
}

void Children::say_end(const Entry& entry, const child::ChildEnded& ended) {
  changed_ = true;
  if (is_crash(ended.end.kind) || ended.end.kind == OutcomeKind::hung) ++crashes_;
  if (ended.end.kind == OutcomeKind::ok) return;
  log::warning("host", "the child of {} ended: {}: {}", entry.name, name_of(ended.end.kind),
               ended.end.reason);
}

}  // namespace cape::host
