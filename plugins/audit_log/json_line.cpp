#include "json_line.hpp"

#include <cape/utf8.hpp>

namespace audit_log {
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

void append_fields(std::string& out, const Record& record) {
  out += "{\"domain\":";
  append_string(out, record.domain);
  out += ",\"subject\":";
  append_string(out, record.subject);
  out += ",\"sequence\":" + std::to_string(record.sequence);
  out += ",\"time_ns\":" + std::to_string(record.time_ns);
  out += ",\"type\":";
  append_string(out, record.type);
  if (cape::is_utf8(record.payload)) {
    out += ",\"payload\":";
    append_string(out, record.payload);
  } else {
    out += ",\"payload_base64\":";
    append_base64(out, record.payload);
  }
  out += ",\"fence\":" + std::to_string(record.fence) + "}\n";
}

}  // namespace

void append_line(std::string& out, const Record& record) {
  const std::size_t before = out.size();
  try {
    append_fields(out, record);
  } catch (...) {
    out.resize(before);  // half a line must never be written
    throw;
  }
}

}  // namespace audit_log
