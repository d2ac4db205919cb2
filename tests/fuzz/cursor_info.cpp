// The stored record of a subject: what is taken from the disk can be stored again, and means the same.
#include "storage/cursor_info.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = cape::storage::decode_cursor_info({reinterpret_cast<const char*>(data), size});
  if (!info) return 0;
  CAPE_CHECK(cape::storage::mistake_of(*info).empty());
  const auto again = cape::storage::decode_cursor_info(cape::storage::encode(*info));
  CAPE_CHECK(again && *again == *info);
  return 0;
}
