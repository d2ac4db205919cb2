#include "storage/slot.hpp"

#include <xxhash.h>

#include <string>

namespace cape::storage {

std::uint32_t slot_of(std::string_view domain, std::string_view subject) {
  std::string both(domain);
  both += '\0';  // neither part holds a zero byte, so no two pairs read the same
  both += subject;
  return static_cast<std::uint32_t>(XXH64(both.data(), both.size(), 0) % slot_count);
}

}  // namespace cape::storage
