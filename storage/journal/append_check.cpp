#include "storage/journal/append_check.hpp"

#include <fmt/format.h>

namespace cape::storage {

std::string mistake_of(const NewEvent& event, std::uint64_t payload_bytes_max) {
  if (const std::string_view mistake = subject_mistake(event.subject); !mistake.empty())
    return std::string(mistake);
  if (event.sequence && *event.sequence <= 0)
    return fmt::format("sequence {} is not above 0", *event.sequence);
  if (event.sequence && *event.sequence > journal_sequence_max)
    return fmt::format("sequence {} is refused, since no query can go past it: the highest is {}",
                       *event.sequence, journal_sequence_max);
  if (event.type.size() > type_bytes_max) return fmt::format("type is longer than {} bytes", type_bytes_max);
  if (!is_utf8(event.type)) return "type is not UTF-8";
  if (event.payload.size() > payload_bytes_max) {
    return fmt::format("payload of {} bytes is larger than the limit of {}: payload_bytes_max in cape.toml",
                       event.payload.size(), payload_bytes_max);
  }
  return {};
}

}  // namespace cape::storage
