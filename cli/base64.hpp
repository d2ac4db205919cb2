// cli/base64.hpp
// Standard base64 with padding, RFC 4648 section 4, and nothing else: no line breaks, no URL alphabet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cape::cli {

std::optional<std::string> decode_base64(std::string_view text);  // nullopt: malformed
std::string encode_base64(std::string_view bytes);

}  // namespace cape::cli
