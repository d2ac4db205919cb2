// cli/append_lines.hpp
// The loop behind `cape append DOMAIN --jsonl`: lines in, groups of events out. A group is appended when it
// is full or when the input has nothing more at the moment, so a slow writer's events do not wait for
// company. Memory holds one group and one line, however long the input is.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "cli/line_reader.hpp"
#include "storage/journal/journal_db.hpp"

namespace cape::cli {

struct AppendPorts {
  // All of the events or none, as JournalDb::append.
  std::function<Result<std::vector<Sequence>>(std::span<const storage::NewEvent>)> append;
  // Once for each distinct subject of a group, after the group is stored, with its highest sequence.
  std::function<void(std::string_view subject, Sequence sequence)> ping;
};

struct AppendLimits {
  std::uint64_t payload_bytes_max = 1u << 20;
  std::size_t group_events_max = 1024;
  std::size_t group_bytes_max = 4u << 20;  // of payload; one event is always allowed
};

struct AppendReport {
  std::uint64_t appended = 0;  // every event before the bad line, and none after it
  std::uint64_t bad_line = 0;  // 0: none
  std::optional<Error> error;  // what stopped it
};

// Stops at the first bad line. Blank lines are skipped.
AppendReport append_lines(LineReader& lines, const AppendLimits& limits, const AppendPorts& ports);

}  // namespace cape::cli
