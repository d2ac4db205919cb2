// The ring that a child writes and the host copies out of: its bytes and its head are the child's to choose.
//
//   input: [count, 1 byte][count heads: 2 bytes each, how far the head moves, signed][the ring's bytes ...]
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "host/child/ring.hpp"

namespace {

using namespace cape::child;
constexpr std::uint64_t ring_bytes = 4096;

int ring_of(std::span<const std::uint8_t> bytes) {
  static const int ring = ::memfd_create("ring", MFD_CLOEXEC);
  CAPE_CHECK(ring >= 0);
  std::array<std::uint8_t, ring_bytes> all{};
  std::ranges::copy(bytes.first(std::min(bytes.size(), all.size())), all.begin());
  CAPE_CHECK(::pwrite(ring, all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
  return ring;
}

// Reads to `head`; false: the reader refused, and must not be used again.
bool read_to(CopyingReader& reader, std::uint64_t head) {
  std::uint64_t position = reader.position();
  for (;;) {
    const auto frame = reader.next(head);
    if (!frame) return false;
    CAPE_CHECK(reader.position() >= position && reader.position() <= head);
    if (!*frame) return true;
    CAPE_CHECK((*frame)->kind != padding_kind);
    CAPE_CHECK((*frame)->body.size() + sizeof(FrameHeader) <= reader.position() - position);
    unsigned sum = 0;
    for (const std::uint8_t byte : (*frame)->body) sum += byte;  // every byte is there
    CAPE_CHECK(sum <= 255u * (*frame)->body.size());
    position = reader.position();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size < 1 + 2u * data[0]) return 0;
  const std::size_t count = data[0];
  CopyingReader reader(ring_of({data + 1 + 2 * count, size - 1 - 2 * count}), 0, ring_bytes);
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::int16_t moved = 0;
    std::memcpy(&moved, data + 1 + 2 * i, sizeof moved);
    head += static_cast<std::uint64_t>(std::int64_t{moved});
    if (!read_to(reader, head)) break;
  }
  return 0;
}
