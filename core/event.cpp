#include "core/event.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape {

void EventBlock::add(Sequence sequence, std::int64_t time_ns, std::string_view type, std::string_view payload) {
  CAPE_CHECK(entries.empty() || entries.back().sequence < sequence);
  CAPE_CHECK(type.size() <= type_bytes_max && bytes.size() + type.size() + payload.size() <= UINT32_MAX);
  Entry entry{.sequence = sequence, .time_ns = time_ns};
  entry.type_offset = static_cast<std::uint32_t>(bytes.size());
  entry.type_bytes = static_cast<std::uint16_t>(type.size());
  bytes += type;
  entry.payload_offset = static_cast<std::uint32_t>(bytes.size());
  entry.payload_bytes = static_cast<std::uint32_t>(payload.size());
  bytes += payload;
  entries.push_back(entry);
}

std::size_t EventBlock::first_after(Sequence after) const {
  auto it = std::ranges::upper_bound(entries, after, {}, &Entry::sequence);
  return static_cast<std::size_t>(it - entries.begin());
}

}  // namespace cape
