// cli/json_dump.hpp
// How every JSON answer of ours is written: one line, ASCII, and what is not UTF-8 replaced. Apart from
// json_text.hpp, since it costs its readers the JSON library.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cape::cli {

inline std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cape::cli
