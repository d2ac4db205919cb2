// plugins/shared/json_text.hpp
// Bytes as JSON text. Pure; any byte is legal in.
#pragma once

#include <string>
#include <string_view>

namespace json_text {

// Appends a quoted string. Each byte that is not UTF-8 becomes U+FFFD.
void append_string(std::string& out, std::string_view text);
// Appends the bytes as a quoted string in base64.
void append_base64(std::string& out, std::string_view bytes);
// Appends "KEY":"text", or "KEY_base64":"..." if the bytes are not UTF-8.
void append_text_member(std::string& out, std::string_view key, std::string_view bytes);

}  // namespace json_text
