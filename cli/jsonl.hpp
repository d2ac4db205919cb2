// cli/jsonl.hpp
// One line of `cape append DOMAIN --jsonl` as an event:
//
//   {"subject":"a","sequence":1,"time_ns":0,"type":"t","payload":"text"}
//
// `payload_base64` may stand instead of `payload`; sequence, time_ns, type and both payloads are optional,
// and null counts as absent. An unknown or doubled key is refused: a misspelt "paylod" would lose data in
// silence. Pure: no I/O. The bytes are not trusted.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/error.hpp"
#include "storage/journal/journal_db.hpp"

namespace cape::cli {

// invalid: what is wrong with the line; limit: the payload is over `payload_bytes_max`.
Result<storage::NewEvent> parse_event_line(std::string_view line, std::uint64_t payload_bytes_max);

// The longest line an event within the limit can need: each byte of text may be written as \u0041.
std::size_t event_line_bytes_max(std::uint64_t payload_bytes_max);

}  // namespace cape::cli
