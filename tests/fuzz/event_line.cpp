// One line of `cape append --jsonl`: an event within the limits, or what is wrong with the line.
#include <cstddef>
#include <cstdint>

#include "cli/jsonl.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t payload_limit = 64;
  const auto event = cape::cli::parse_event_line({reinterpret_cast<const char*>(data), size}, payload_limit);
  if (event) {
    CAPE_CHECK(event->payload.size() <= payload_limit);
  } else {
    CAPE_CHECK(!event.error().message.empty());
  }
  return 0;
}
