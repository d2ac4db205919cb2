// broker/exceptions.hpp
// What keeps a subject from being processed in a topology until somebody does something, told from its stored
// record alone: so it is the same with a broker and without. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/config/config.hpp"
#include "storage/cursor_info.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

enum class ExceptionCause : std::uint8_t {
  parked,         // waits for an operator
  failing,        // its event fails for longer than the topology's stuck_after
  paused,         // by an operator
  waiting_after,  // a topology that it comes after is stopped by one of these
  late,           // it is up to date, but events that appeared below a bound of its source have not run
};
const char* name_of(ExceptionCause cause);

struct CoverageException {
  ExceptionCause cause = ExceptionCause::parked;
  bool stuck = false;                 // its event fails for longer than stuck_after, parked or not
  Sequence cursor = 0;                // of the topology
  Sequence sequence = 0;              // the event that failed; 0: none
  std::uint32_t attempts = 0;         // of that event
  std::int64_t failing_since_ns = 0;  // wall clock; 0: it does not fail
  std::uint64_t late = 0;             // events that appeared too late, of the lambda that has most of them
  std::string reason;
};

using PausedTopologies = std::map<std::string, std::string, std::less<>>;  // reasons, by name
PausedTopologies by_name(const std::vector<storage::PausedTopology>& rows);

// The topology's cursor in a record: that of the lowest lambda of the config, else its start.
Sequence stored_cursor(const TopologyConfig& topology, const storage::CursorInfo& info);

// nullopt: it is not behind `latest` and no event came too late, or it goes on by itself.
std::optional<CoverageException> exception_of(const Config& config, TopologyIndex topology,
                                              const storage::CursorInfo& info, Sequence latest,
                                              const PausedTopologies& paused, std::int64_t wall_ns);

}  // namespace cape::broker
