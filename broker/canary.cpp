#include "broker/canary.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "core/types.hpp"

namespace cape::broker {
namespace {

const VersionSeen* find(std::span<const VersionSeen> seen, const std::string& hash) {
  const auto at = std::ranges::find(seen, hash, [](const VersionSeen& one) { return one.version.hash; });
  return at == seen.end() ? nullptr : &*at;
}

void count(VersionTally& tally, const VersionOutcome& outcome) {
  const std::uint32_t events = outcome.events_done + (outcome.failed ? 1 : 0);
  tally.events += events;
  tally.failed += outcome.failed;
  tally.took.add(outcome.event_ns, events);
}

std::string percent(double rate) {
  return fmt::format("{:.2f}%", rate * 100);
}

}  // namespace

std::string share_text(std::uint32_t share) {
  return share % 100 == 0 ? fmt::format("{}%", share / 100)
                          : fmt::format("{}%", static_cast<double>(share) / 100);
}

std::string text_of(const storage::PluginVersion& version) {
  return fmt::format("{} ({})", version.version, printable(version.hash.substr(0, 8), 64));
}

Canary::Canary(CanaryPolicy policy, storage::Canary stored) : policy_(policy), record_(std::move(stored)) {
  for (const std::string& hash : record_.rejected) rejected_.push_back({hash});
}

std::string Canary::name() const {
  return record_.topology + "." + record_.lambda;
}

void Canary::say(bool is_bad, std::string text) {
  lines_.push_back({is_bad, name() + ": " + std::move(text)});
}

bool Canary::is_rejected(const std::string& hash) const {
  return std::ranges::find(rejected_, hash, &Rejected::hash) != rejected_.end();
}

void Canary::saw(std::span<const VersionSeen> seen, Now now) {
  if (seen.empty()) {
    missing_since_ns_ = 0;
    return;
  }
  if (pin_) return follow_pin(seen);
  forget_rejected(seen, now);
  look_for_candidate(seen, now);
  if (runs()) look_after_candidate(seen, now);
}

// What is dropped once more after it went from every host is tried once more.
void Canary::forget_rejected(std::span<const VersionSeen> seen, Now now) {
  for (Rejected& rejected : rejected_) {
    const VersionSeen* at = find(seen, rejected.hash);
    if (at != nullptr && (at->serves || !at->set_aside.empty()))
      rejected.missing_since_ns = 0;
    else if (rejected.missing_since_ns == 0)
      rejected.missing_since_ns = now.boot_ns;
  }
  const auto forgotten = std::erase_if(rejected_, [&](const Rejected& rejected) {
    return rejected.missing_since_ns != 0 && now.boot_ns - rejected.missing_since_ns >= gone_after_ns;
  });
  if (forgotten == 0) return;
  keep_rejected();
  changed_ = true;
}

void Canary::look_for_candidate(std::span<const VersionSeen> seen, Now now) {
  served_.reset();
  for (const VersionSeen& one : seen) {
    if (!one.serves || one.version.hash == record_.stable.hash || one.version.hash == record_.candidate.hash)
      continue;
    if (is_rejected(one.version.hash)) {
      served_ = one.version;
      continue;
    }
    if (record_.stable.empty()) {
      adopt(one.version);
      continue;
    }
    if (runs()) give_up(fmt::format("{} came after it", text_of(one.version)), now);
    begin(one.version, now);
  }
}

void Canary::look_after_candidate(std::span<const VersionSeen> seen, Now now) {
  const VersionSeen* at = find(seen, record_.candidate.hash);
  if (at != nullptr && !at->set_aside.empty()) return give_up("a host set it aside: " + at->set_aside, now);
  if (at != nullptr && at->serves) {
    missing_since_ns_ = 0;
    return;
  }
  if (missing_since_ns_ == 0) missing_since_ns_ = now.boot_ns;
  if (now.boot_ns - missing_since_ns_ >= gone_after_ns)
    give_up("no host's plugin directory has it any more", now);
}

void Canary::adopt(const storage::PluginVersion& version) {
  record_.stable = version;
  changed_ = true;
  say(false, fmt::format("version {} serves", text_of(version)));
}

void Canary::begin(const storage::PluginVersion& version, Now now) {
  record_.candidate = version;
  record_.share = policy_.share;
  record_.began_wall_ns = now.wall_ns;
  missing_since_ns_ = 0;
  restart_stage();
  changed_ = true;
  say(false, fmt::format("canary: version {} gets {} of the subjects, {} has the others", text_of(version),
                         share_text(record_.share), text_of(record_.stable)));
}

void Canary::restart_stage() {
  stable_ = {};
  candidate_ = {};
  stage_end_ns_ = 0;
  extensions_ = 0;
}

void Canary::took_effect(Now now) {
  if (!runs()) return;
  restart_stage();
  stage_end_ns_ = now.boot_ns + policy_.for_ms * ns_per_ms;
}

void Canary::ended(const VersionOutcome& outcome) {
  if (stage_end_ns_ == 0) return;  // of an earlier stage
  count(outcome.of_candidate ? candidate_ : stable_, outcome);
}

bool Canary::has_enough() const {
  return stable_.events >= events_least && candidate_.events >= events_least;
}

std::string Canary::worse() const {
  if (!has_enough()) return {};
  if (policy_.errors_factor > 0 && candidate_.failed >= failures_least &&
      candidate_.error_rate() > policy_.errors_factor * stable_.error_rate())
    return fmt::format("errors: {} of its {} events failed ({}), against {} of {} ({}); more than {}x",
                       candidate_.failed, candidate_.events, percent(candidate_.error_rate()), stable_.failed,
                       stable_.events, percent(stable_.error_rate()), policy_.errors_factor);
  const double candidate_ms = candidate_.p95_ms(), stable_ms = stable_.p95_ms();
  if (policy_.p95_factor > 0 && candidate_ms > policy_.p95_factor * stable_ms &&
      candidate_ms - stable_ms >= slower_least_ms)
    return fmt::format("p95: {:.3f} ms over {} events, against {:.3f} ms over {}; more than {}x",
                       candidate_ms, candidate_.events, stable_ms, stable_.events, policy_.p95_factor);
  return {};
}

void Canary::passed(Now now) {
  if (!runs() || stage_end_ns_ == 0) return;
  if (std::string how = worse(); !how.empty()) return give_up(std::move(how), now);
  if (missing_since_ns_ == 0 && now.boot_ns >= stage_end_ns_) end_stage(now);
}

void Canary::end_stage(Now now) {
  if (!has_enough()) return extend(now);
  const std::string numbers = fmt::format(
      "errors {} of {} events against {} of {}, p95 {:.3f} ms against {:.3f} ms", candidate_.failed,
      candidate_.events, stable_.failed, stable_.events, candidate_.p95_ms(), stable_.p95_ms());
  if (record_.share >= second_share) return make_stable(numbers, now);
  record_.share = second_share;
  restart_stage();
  changed_ = true;
  say(false, fmt::format("canary: version {} gets {} of the subjects now; {}", text_of(record_.candidate),
                         share_text(record_.share), numbers));
}

// Said at once, and then ever more rarely.
void Canary::extend(Now now) {
  stage_end_ns_ = now.boot_ns + policy_.for_ms * ns_per_ms;
  if (!std::has_single_bit(++extensions_)) return;
  say(false,
      fmt::format("canary: the stage with {} of the subjects goes on: version {} has run {} events and {} "
                  "has run {}, and nothing is compared below {} each",
                  share_text(record_.share), text_of(record_.candidate), candidate_.events,
                  text_of(record_.stable), stable_.events, events_least));
}

void Canary::make_stable(std::string why, Now now) {
  reject(record_.stable.hash);  // a host may still have nothing else
  const storage::PluginVersion before = std::exchange(record_.stable, std::exchange(record_.candidate, {}));
  record_.stable_in_twin = !record_.stable_in_twin;
  record_.share = 0;
  record_.verdict = fmt::format("promoted: version {} took the place of {}; {}", text_of(record_.stable),
                                text_of(before), why);
  record_.verdict_wall_ns = now.wall_ns;
  restart_stage();
  changed_ = true;
  say(false, "canary: " + record_.verdict);
}

void Canary::give_up(std::string why, Now now) {
  reject(record_.candidate.hash);
  record_.verdict = fmt::format("rolled back: version {} gave way to {}; {}",
                                text_of(std::exchange(record_.candidate, {})), text_of(record_.stable), why);
  record_.verdict_wall_ns = now.wall_ns;
  record_.share = 0;
  restart_stage();
  changed_ = true;
  say(true, "canary: " + record_.verdict);
}

void Canary::reject(const std::string& hash) {
  std::erase_if(rejected_, [&](const Rejected& rejected) { return rejected.hash == hash; });
  if (rejected_.size() >= storage::rejected_versions_max) rejected_.erase(rejected_.begin());
  rejected_.push_back({hash});
  keep_rejected();
}

void Canary::keep_rejected() {
  record_.rejected.clear();
  for (const Rejected& rejected : rejected_) record_.rejected.push_back(rejected.hash);
}

void Canary::pinned(const std::optional<storage::PluginVersion>& pin, Now now) {
  const bool was_pinned = pin_.has_value();
  pin_ = pin;
  if (pin_ && runs()) give_up("its plugin was pinned", now);
  if (pin_ || !was_pinned || rejected_.empty()) return;
  rejected_.clear();  // what the directories have is tried again
  keep_rejected();
  changed_ = true;
}

// A host may not have heard of the pin yet, so what it serves counts only if the pin means that.
void Canary::follow_pin(std::span<const VersionSeen> seen) {
  const auto is_meant = [&](const storage::PluginVersion& version) {
    return pin_->hash.empty() ? version.version == pin_->version : version.hash == pin_->hash;
  };
  if (!record_.stable.empty() && is_meant(record_.stable)) return;
  const auto meant =
      std::ranges::find_if(seen, [&](const VersionSeen& one) { return one.serves && is_meant(one.version); });
  if (meant == seen.end()) return;
  if (!record_.stable.empty()) {
    reject(record_.stable.hash);
    record_.stable_in_twin = !record_.stable_in_twin;
  }
  std::erase_if(rejected_, [&](const Rejected& rejected) { return rejected.hash == meant->version.hash; });
  keep_rejected();
  adopt(meant->version);
}

std::string Canary::promote(const std::string& reason, Now now) {
  if (pin_) return "its plugin is pinned; `cape plugin unpin` it first";
  std::string why = "by hand" + (reason.empty() ? "" : ": " + reason);
  if (!runs() && served_ && is_rejected(served_->hash)) {  // given up before, and still the newest file
    record_.candidate = *served_;
    record_.began_wall_ns = now.wall_ns;
  }
  if (!runs())
    return fmt::format("no other version than {} is there to be promoted; drop one into a plugin directory",
                       record_.stable.empty() ? "none" : text_of(record_.stable));
  std::erase_if(rejected_, [&](const Rejected& rejected) { return rejected.hash == record_.candidate.hash; });
  make_stable(std::move(why), now);
  return {};
}

std::string Canary::roll_back(const std::string& reason, Now now) {
  if (pin_) return "its plugin is pinned; `cape plugin unpin` it first";
  if (!runs())
    return fmt::format("no canary runs, version {} has every subject; to go back, drop the older file again",
                       record_.stable.empty() ? "none" : text_of(record_.stable));
  give_up("by hand" + (reason.empty() ? "" : ": " + reason), now);
  return {};
}

std::optional<std::int64_t> Canary::next_ns() const {
  if (!runs() || stage_end_ns_ == 0 || missing_since_ns_ != 0) return std::nullopt;
  return stage_end_ns_;
}

}  // namespace cape::broker
