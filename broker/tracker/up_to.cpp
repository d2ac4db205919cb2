#include "broker/tracker/up_to.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace cape::tracker {

EventBlockPtr up_to(EventBlockPtr block, Sequence last) {
  CAPE_CHECK(block != nullptr);
  if (block->proven_to <= last) return block;
  auto part = std::make_shared<EventBlock>();
  part->proven_from = block->proven_from;
  part->proven_to = std::max(last, block->proven_from - 1);
  for (const EventBlock::Entry& entry : block->entries) {
    if (entry.sequence > last) break;
    part->add(entry.sequence, entry.time_ns, block->type_of(entry), block->payload_of(entry));
  }
  return part;
}

}  // namespace cape::tracker
