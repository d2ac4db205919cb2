// storage/journal/append_check.hpp
// The rules of a new event that need no database, the same as the journal's trigger has. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "storage/journal/journal_db.hpp"

namespace cape::storage {

// Of an event: the source's next_start behind it must still be a number.
inline constexpr Sequence journal_sequence_max = std::numeric_limits<Sequence>::max() - 1;

// Empty: `event` may be stored. Else what is wrong with it.
std::string mistake_of(const NewEvent& event, std::uint64_t payload_bytes_max);

}  // namespace cape::storage
