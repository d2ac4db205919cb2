// storage/replay.hpp
// Replay: one run of `cape replay`, as the store keeps it: what it shall run, how far it is, and what became
// of it. The cursors of its subjects are records of its shadow's domain (core/config/shadow.hpp), which go
// when it ends.
#pragma once

#include <cstdint>
#include <string>

#include "core/types.hpp"

namespace cape::storage {

struct Replay {
  //  scanning ──source scanned──▶ running ──nothing left──▶ ending ──records removed──▶ ended
  //      └───────────────────────────┴────── cancelled ───────▲
  // From ending it goes back to running if an operator's act came in between, and something is left after
  // all.
  enum class State : std::uint8_t { scanning, running, ending, ended };

  std::uint64_t id = 0;  // above 0; rises
  std::string name;      // an operator's word for it
  std::string topology;  // the live one
  std::string subject;   // empty: every one that the source has
  Sequence from = 0, to = 0;
  State state = State::scanning;
  bool cancelled = false;
  std::string token;           // the scan goes on behind this subject
  std::uint64_t subjects = 0;  // found so far that have something to run
  // Once it is ending, of the subjects whose records are removed: done, and parked or left half done.
  std::uint64_t done = 0, parked = 0;
  std::uint64_t events = 0;  // that ran; after a crash some may be missing here
  std::int64_t started_wall_ns = 0, ended_wall_ns = 0;
  std::string reason;  // the operator's

  bool operator==(const Replay&) const = default;
};

inline constexpr std::uint64_t replays_kept = 32;  // of those that ended, the newest

}  // namespace cape::storage
