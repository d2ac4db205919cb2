// host/worker/worker_child.hpp
// What the worker knows of one child. Plain values.
//
//   starting ──ready──▶ ready ──▶ stopping ──▶ (ended)
//      └──────────────────┴──────────┴─▶ killed ─▶ (ended)
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <string>

#include "host/child/growth_watch.hpp"
#include "host/worker/hang_watch.hpp"
#include "host/worker/held_job.hpp"

namespace cape::host {

using ChildId = std::uint32_t;

struct WorkerChild {
  enum class Phase : std::uint8_t { starting, ready, stopping, killed };

  ChildId id = 0;
  std::string hash;
  Phase phase = Phase::starting;
  std::int64_t phase_ns = 0;  // since when
  bool was_ready = false;
  bool forgotten = false;  // it runs jobs of a session that is over
  bool drain_cancelled = false;
  std::deque<HeldJob> out;        // in the order given
  std::int64_t moved_ns = 0;      // when it got a job while idle, or last ended one
  std::int64_t idle_ns = 0;       // while stopping: since when it has no jobs; 0: it has
  bool taken_back = false;        // gets no more jobs before those it has are over
  std::int64_t refuses_ns = 0;    // since when its ring takes no job; 0: it does
  std::int64_t retry_ns = 0;      // when to offer one again
  bool stuck = false;             // it has refused for too long with nothing to do
  child::GrowthWatch growth;
  std::string recycle;            // why another one shall take its place; empty: none shall
  HangWatch hang;

  bool lives() const { return phase != Phase::killed; }

  HeldJob* find(JobId job) {
    const auto found = std::ranges::find_if(out, [&](const HeldJob& held) { return held.job.job == job; });
    return found == out.end() ? nullptr : &*found;
  }
  std::optional<HeldJob> remove(JobId job) {
    const auto found = std::ranges::find_if(out, [&](const HeldJob& held) { return held.job.job == job; });
    if (found == out.end()) return std::nullopt;
    HeldJob held = std::move(*found);
    out.erase(found);
    return held;
  }
};

}  // namespace cape::host
