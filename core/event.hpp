// core/event.hpp
// EventBlock is what one query proved about one subject: the events of [proven_from, proven_to], and that
// there are no others in it. Immutable once built. Shared (std::shared_ptr<const EventBlock>) by the
// scheduler, while a topology waits to run from it, and by the messages that carry jobs cut from it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace cape {

struct EventBlock {
  struct Entry {
    Sequence sequence = 0;
    std::int64_t time_ns = 0;          // as the source says: nanoseconds since 1970
    std::uint32_t type_offset = 0;     // all offsets are into `bytes`
    std::uint32_t payload_offset = 0;
    std::uint32_t payload_bytes = 0;
    std::uint16_t type_bytes = 0;
  };

  Sequence proven_from = 0;
  Sequence proven_to = 0;         // inclusive; proven_to < proven_from: proves nothing
  std::vector<Entry> entries;     // rising
  std::string bytes;

  std::string_view type_of(const Entry& e) const { return std::string_view(bytes).substr(e.type_offset, e.type_bytes); }
  std::string_view payload_of(const Entry& e) const {
    return std::string_view(bytes).substr(e.payload_offset, e.payload_bytes);
  }
  // Appends an event; sequences must rise.
  void add(Sequence sequence, std::int64_t time_ns, std::string_view type, std::string_view payload);
  // Index of the first entry with a sequence > `after`.
  std::size_t first_after(Sequence after) const;
};

using EventBlockPtr = std::shared_ptr<const EventBlock>;

// What a lambda gave for one event, for those that need it; null: nothing, which they see as 0 bytes. Shared
// by the scheduler, which keeps it until they are through, and by the messages that carry it.
using OutputPtr = std::shared_ptr<const std::string>;

// Entries [first, first + count) of a block: the events of a job.
struct EventRange {
  EventBlockPtr block;
  std::uint32_t first = 0;
  std::uint32_t count = 0;

  const EventBlock::Entry& operator[](std::size_t i) const { return block->entries[first + i]; }
  Sequence last_sequence() const { return block->entries[first + count - 1].sequence; }
  Sequence first_sequence() const { return block->entries[first].sequence; }
};

}  // namespace cape
