// Messages of a peer. What a decoder takes is encoded to bytes that it takes again, and means the same.
#include <cstddef>
#include <cstdint>

#include "wire/codec.hpp"

namespace {

template <class Decode>
void decode_twice(std::string_view bytes, Decode decode) {
  const auto message = decode(bytes);
  if (!message) return;
  const std::string encoded = cape::wire::encode(*message);
  const auto again = decode(encoded);
  CAPE_CHECK(again.has_value());
  CAPE_CHECK(cape::wire::encode(*again) == encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode_twice(bytes, cape::wire::decode_ping);
  decode_twice(bytes, cape::wire::decode_ping_reply);
  decode_twice(bytes, cape::wire::decode_admin_request);
  decode_twice(bytes, cape::wire::decode_admin_reply);
  decode_twice(bytes, cape::wire::decode_to_broker);
  decode_twice(bytes, cape::wire::decode_to_host);
  return 0;
}
