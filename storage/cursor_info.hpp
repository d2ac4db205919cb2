// storage/cursor_info.hpp
// CursorInfo: all cursors and control state of one subject, one stored record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/types.hpp"
#include "storage/given_window.hpp"

namespace cape::storage {

// An event that appeared below a bound its source had given, when the lambda had passed it.
struct LateEvent {
  Sequence sequence = 0;
  std::uint32_t attempts = 0;         // failed ones, where late events run
  std::int64_t next_try_wall_ns = 0;  // 0: at once
  bool parked = false;                // runs no more until an operator says so
  std::string reason;                 // why it failed; printable

  bool operator==(const LateEvent&) const = default;
};

// Those of one lambda that neither ran nor were skipped.
struct LateEvents {
  std::vector<LateEvent> events;  // rising, at most late_events_max
  std::uint64_t more = 0;         // that found no room there, so that their number alone is known
  Sequence more_from = 0;         // the lowest of these; 0: there are none

  bool empty() const { return events.empty() && more == 0; }
  std::uint64_t count() const { return events.size() + more; }
  bool operator==(const LateEvents&) const = default;
};

struct LambdaCursor {
  std::string lambda;
  Sequence cursor = 0;                // everything up to it is processed by this lambda
  std::uint32_t attempts = 0;         // of the event after the cursor that failed last
  Sequence failed_sequence = 0;       // which; 0: none
  std::int64_t next_try_wall_ns = 0;  // 0: at once
  std::int64_t failing_since_wall_ns =
      0;                // when that event failed first, and was not done since; 0: it did not
  bool parked = false;  // waits for an operator
  std::string reason;   // why it failed or is parked; printable
  // What mode latest passed over, rising, at most passed_ranges_max: beyond that the two oldest become one,
  // with what ran between them.
  std::vector<SequenceRange> passed;
  LateEvents late;

  bool operator==(const LambdaCursor&) const = default;
};

struct TopologyCursor {
  std::string topology;
  std::vector<LambdaCursor> lambdas;
  bool paused = false;       // by an operator
  std::string pause_reason;  // printable
  Sequence cursor() const;   // the lowest of its lambdas; 0 without any

  bool operator==(const TopologyCursor&) const = default;
};

// Where a topology begins in a subject, as a baseline has fixed it.
struct FixedStart {
  std::string topology;
  Sequence cursor = 0;

  bool operator==(const FixedStart&) const = default;
};

struct CursorInfo {
  Sequence latest = 0;                     // highest the source has ever told
  std::vector<TopologyCursor> topologies;  // also of topologies that left the config: they may come back
  // Of topologies that are not among these. The store reads them beside the record; they are no part of it.
  std::vector<FixedStart> starts;
  GivenWindow given;  // looked at again for a while: see docs/operations.md, late events

  bool operator==(const CursorInfo&) const = default;
};

inline constexpr std::size_t name_bytes_max = 71;  // of a topology, a lambda, a domain, shadows too
inline constexpr std::size_t topologies_per_subject_max = 1024;
inline constexpr std::size_t lambdas_per_topology_max = 1024;
inline constexpr std::size_t passed_ranges_max = 16;
inline constexpr std::size_t late_events_max = 64;  // of one lambda

// Empty: `info` can be stored. Else what is wrong with it: over a limit above, a negative number, a reason of
// more than reason_bytes_max.
std::string_view mistake_of(const CursorInfo& info);

// msgpack, versioned; strings bounded. decode refuses bytes it does not know with Error::invalid.
// encode requires: mistake_of(info) is empty.
std::string encode(const CursorInfo& info);
Result<CursorInfo> decode_cursor_info(std::string_view bytes);

}  // namespace cape::storage
