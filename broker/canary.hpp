// broker/canary.hpp
// Canary decides, for one lambda, which version of its plugin serves, and tries a new one on a part of the
// subjects first. Pure: what hosts have, how jobs end and what time it is come in; out come the record to
// store and lines for people. It neither stores nor tells anybody: CanaryDesk does.
//
//   no version yet ──(a host has one)──▶ stable
//   stable ──(a host has another one)──▶ stage 1: `share` of the subjects ─▶ stage 2: 25 % ─▶ promoted
//                                           │  at any time: worse, gone, set aside, by hand │
//                                           └───────────────▶ rolled back ◀─────────────────┘
//
// A stage lasts `for_ms`, and until both versions have run events_least events in it: where they have not, it
// goes on for as long again, and says so. Both are measured over the same stage, each on its own subjects.
// What was measured is in memory alone: after a start the stage begins anew, with the same share.
// Thread: one. Memory: two histograms of 8 KiB.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/latency.hpp"
#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "storage/canary.hpp"

namespace cape::broker {

// A version of the lambda's plugin that a host could run.
struct VersionSeen {
  storage::PluginVersion version;
  bool serves = false;         // it is what the host would run by itself
  std::string set_aside = {};  // not empty: why the host gave it up
};

// How a job ended.
struct VersionOutcome {
  bool of_candidate = false;
  std::uint32_t events_done = 0;
  bool failed = false;        // the event after them failed: one attempt
  std::int64_t event_ns = 0;  // that each of its events took, on average
};

struct CanaryLine {
  bool is_bad = false;  // a warning
  std::string text;
};

// What one version did in the running stage.
struct VersionTally {
  std::uint64_t events = 0;  // runs of one: done or failed
  std::uint64_t failed = 0;
  LatencyHistogram took;

  double error_rate() const {
    return events == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(events);
  }
  double p95_ms() const { return took.quantile_us(0.95) / 1000; }
};

class Canary {
 public:
  static constexpr std::uint64_t events_least = 100;  // of each version, or nothing is compared
  static constexpr std::uint64_t failures_least = 3;  // of the candidate: fewer prove nothing
  static constexpr double slower_least_ms = 1;        // a smaller difference is noise, whatever its ratio
  static constexpr std::uint32_t share_all = 10'000, second_share = 2'500;
  static constexpr std::int64_t gone_after_ns = 10 * ns_per_s;

  // `stored`: of this lambda; its names are filled in.
  Canary(CanaryPolicy policy, storage::Canary stored);

  // ---- what happens
  // All that hosts have of the plugin. Empty: perhaps no host is there yet.
  void saw(std::span<const VersionSeen> seen, Now now);
  // The record is in the store, and everybody has been told: what is measured from now on counts.
  void took_effect(Now now);
  void ended(const VersionOutcome& outcome);
  void passed(Now now);  // time; also when next_ns() is due
  // An operator's pin, by version or by hash, the other being empty: while there is one, what it names is
  // stable as soon as a host serves that, and nothing is tried.
  void pinned(const std::optional<storage::PluginVersion>& pin, Now now);
  // By hand. Not empty: why it was refused, and the next step.
  std::string promote(const std::string& reason, Now now);
  std::string roll_back(const std::string& reason, Now now);

  // ---- what follows
  const storage::Canary& record() const { return record_; }
  bool take_changed() { return std::exchange(changed_, false); }
  std::vector<CanaryLine> take_lines() { return std::exchange(lines_, {}); }
  std::optional<std::int64_t> next_ns() const;  // boot time

  bool runs() const { return !record_.candidate.empty(); }
  bool is_pinned() const { return pin_.has_value(); }
  const VersionTally& stable() const { return stable_; }
  const VersionTally& candidate() const { return candidate_; }
  std::int64_t stage_end_ns() const { return stage_end_ns_; }  // boot time; 0: it has not begun
  std::uint32_t extensions() const { return extensions_; }     // of this stage

 private:
  struct Rejected {
    std::string hash;
    std::int64_t missing_since_ns = 0;  // boot time; 0: some host has it
  };
  bool is_rejected(const std::string& hash) const;
  void begin(const storage::PluginVersion& version, Now now);
  void adopt(const storage::PluginVersion& version);
  void make_stable(std::string why, Now now);
  void give_up(std::string why, Now now);
  void reject(const std::string& hash);
  void keep_rejected();
  void follow_pin(std::span<const VersionSeen> seen);
  void forget_rejected(std::span<const VersionSeen> seen, Now now);
  void look_for_candidate(std::span<const VersionSeen> seen, Now now);
  void look_after_candidate(std::span<const VersionSeen> seen, Now now);
  std::string worse() const;  // how, in numbers; empty: it is not, or too little is known
  bool has_enough() const;
  void end_stage(Now now);
  void extend(Now now);
  void restart_stage();
  void say(bool is_bad, std::string text);
  std::string name() const;

  CanaryPolicy policy_;
  storage::Canary record_;
  std::vector<Rejected> rejected_;
  std::optional<storage::PluginVersion> served_;  // by some host now, though it is rejected
  VersionTally stable_, candidate_;
  std::int64_t stage_end_ns_ = 0;
  std::uint32_t extensions_ = 0;
  std::int64_t missing_since_ns_ = 0;  // that no host has the candidate's file; it is not promoted then
  std::optional<storage::PluginVersion> pin_;
  bool changed_ = false;
  std::vector<CanaryLine> lines_;
};

// "5%", "0.5%"
std::string share_text(std::uint32_t share);
// "1.2.0 (3f9a01bc)"
std::string text_of(const storage::PluginVersion& version);

}  // namespace cape::broker
