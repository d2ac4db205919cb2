// cli/json_text.hpp
// Small JSON values as text, for questions and short answers. Non-ASCII and control characters are escaped
// and invalid UTF-8 replaced: safe on a terminal.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cape::cli {

std::string json_string(std::string_view text);
// The values are JSON already: json_object({{"subject", json_string(s)}, {"sequence", std::to_string(n)}}).
std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields);
std::string json_list(const std::vector<std::string>& values);

}  // namespace cape::cli
