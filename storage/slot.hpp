// storage/slot.hpp
// Subjects hash to slots, kept with each record from the first version on, so that several brokers can own
// parts of them one day. Pure; never changes.
#pragma once

#include <cstdint>
#include <string_view>

namespace cape::storage {

inline constexpr std::uint32_t slot_count = 4096;

// XXH64, seed 0, of domain, one zero byte, subject; modulo slot_count.
std::uint32_t slot_of(std::string_view domain, std::string_view subject);

}  // namespace cape::storage
