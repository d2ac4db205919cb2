// cape/utf8.hpp - which bytes are text. Payloads may hold anything; subjects, types and names are UTF-8.
#ifndef CAPE_UTF8_HPP
#define CAPE_UTF8_HPP

#include <cstddef>
#include <string_view>

namespace cape {
inline namespace plugin_v1 {

// Bytes of the well-formed character at the start of `text`; 0: there is none. By the table of the Unicode
// standard: no overlong forms, surrogates or code points above U+10FFFF.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  const unsigned second_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned second_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < second_min || byte(1) > second_max) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace plugin_v1
}  // namespace cape

#endif  // CAPE_UTF8_HPP
