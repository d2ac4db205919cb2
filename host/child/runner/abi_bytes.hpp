// cape_bytes and string_view, both borrowed. NULL with any length is empty.
#pragma once

#include <cape/plugin.h>

#include <cstdint>
#include <string_view>

namespace cape::child {

inline std::string_view text_of(cape_bytes bytes) {
  if (bytes.ptr == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes.ptr), static_cast<std::size_t>(bytes.len)};
}
inline cape_bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace cape::child
