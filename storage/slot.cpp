#include "storage/slot.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace cape::storage {

std::uint32_t slot_of(std::string_view domain, std::string_view subject) {
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  XXH64_update(&state, domain.data(), domain.size());
  XXH64_update(&state, "", 1);  // neither part holds a zero byte, so no two pairs read the same
  XXH64_update(&state, subject.data(), subject.size());
  return static_cast<std::uint32_t>(XXH64_digest(&state) % slot_count);
}

}  // namespace cape::storage
