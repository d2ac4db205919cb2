#include "json_text.hpp"

#include <cape/utf8.hpp>
#include <cstdint>

namespace json_text {
namespace {

using Byte = unsigned char;

bool is_plain(char c) {
  return static_cast<Byte>(c) >= 0x20 && static_cast<Byte>(c) < 0x80 && c != '"' && c != '\\';
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr char digits[] = "0123456789abcdef";
  out += "\\u00";
  out += digits[static_cast<Byte>(c) >> 4];
  out += digits[static_cast<Byte>(c) & 0xf];
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_plain(text[end])) ++end;
    out.append(text, at, end - at);  // most text is one such run
    at = end;
    if (at == text.size()) break;
    if (static_cast<Byte>(text[at]) < 0x80) {
      append_escape(out, text[at++]);
      continue;
    }
    const std::size_t length = cape::utf8_length(text.substr(at));
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      out.append(text, at, length);
    at += length == 0 ? 1 : length;
  }
  out += '"';
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < group.size() ? static_cast<Byte>(group[i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= group.size() ? digits[bits >> (18 - 6 * i) & 63] : '=';
  }
  out += '"';
}

void append_text_member(std::string& out, std::string_view key, std::string_view bytes) {
  const bool text = cape::is_utf8(bytes);
  out.append("\"").append(key).append(text ? "\":" : "_base64\":");
  if (text)
    append_string(out, bytes);
  else
    append_base64(out, bytes);
}

}  // namespace json_text
