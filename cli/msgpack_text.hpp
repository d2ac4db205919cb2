// cli/msgpack_text.hpp
// The broker's monitor messages as the JSON text that the tables of cli/answer.hpp take.
#pragma once

#include <string>
#include <string_view>

namespace cape::cli {

// A msgpack map as a JSON object on one line, as one_line() writes it. Empty: it is anything else, is cut
// short, has bytes behind its end, or nests deeper than 16 values.
std::string json_of_msgpack(std::string_view bytes);

}  // namespace cape::cli
