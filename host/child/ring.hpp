// The byte ring of frames that lies behind each header page (host/child/layout.hpp). One writer, one reader.
//
//   frame: [FrameHeader, 8 bytes][body ...][up to 7 bytes unused]     aligned to 8, never crosses the ring's
//   end a frame that would cross it is preceded by a padding frame up to the end
//
// The writer side is the same for both directions. The child reads requests where they lie: it can not write
// them and the host does not before they are consumed. The host copies responses out first and checks the
// copy, since the child may change them at any time; every index it loads is checked against its own books.
// Nothing here loads or stores a shared word: the caller does, and passes what it saw. Thread: the owner's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace cape::child {

struct FrameHeader {
  std::uint32_t bytes;  // of the whole frame; a multiple of 8
  std::uint32_t kind;   // FrameKind
};
inline constexpr std::uint64_t frame_align = 8;
inline constexpr std::uint32_t padding_kind = 0;

// Half the ring: a frame of this size fits whatever the position, padding included.
constexpr std::uint64_t frame_bytes_max(std::uint64_t ring_bytes) {
  return ring_bytes / 2 / frame_align * frame_align;
}
constexpr std::uint64_t body_bytes_max(std::uint64_t ring_bytes) {
  return frame_bytes_max(ring_bytes) - sizeof(FrameHeader);
}
constexpr std::uint64_t frame_bytes(std::uint64_t body_bytes) {
  return (sizeof(FrameHeader) + body_bytes + frame_align - 1) / frame_align * frame_align;
}

struct Frame {
  std::uint32_t kind = padding_kind;
  std::span<const std::uint8_t> body;  // valid until the next call of the reader that gave it
};

class RingWriter {
 public:
  RingWriter(std::uint8_t* ring, std::uint64_t ring_bytes) : ring_(ring), ring_bytes_(ring_bytes) {}

  struct Slot {
    std::uint64_t padding = 0;  // bytes up to the ring's end that are left unused
    std::uint64_t place = 0;    // of the frame in the ring
    std::uint64_t bytes = 0;    // of the frame
  };
  // Where a frame would go, the reader having consumed `tail` bytes; nullopt: no room now.
  // Requires: body_bytes <= body_bytes_max(ring_bytes), tail <= head().
  std::optional<Slot> find(std::uint64_t body_bytes, std::uint64_t tail) const;
  // Writes the headers and returns the place of the body. head() counts the frame from here on; publish it
  // once the body is written.
  std::uint8_t* take(const Slot& slot, std::uint32_t kind);
  std::uint64_t head() const { return head_; }
  std::uint64_t free_bytes(std::uint64_t tail) const { return ring_bytes_ - (head_ - tail); }

 private:
  std::uint8_t* ring_;
  std::uint64_t ring_bytes_;
  std::uint64_t head_ = 0;
};

// Reads frames where they lie. For the child.
class InPlaceReader {
 public:
  InPlaceReader(const std::uint8_t* ring, std::uint64_t ring_bytes) : ring_(ring), ring_bytes_(ring_bytes) {}

  // The next frame below `head`; nullopt: none. Its bytes stay until the caller publishes position().
  Result<std::optional<Frame>> next(std::uint64_t head);
  std::uint64_t position() const { return position_; }

 private:
  const std::uint8_t* ring_;
  std::uint64_t ring_bytes_;
  std::uint64_t position_ = 0;
};

// Copies frames out of a memfd whose writer is not trusted. For the host. Error::protocol names the field
// that is wrong; the ring must not be read after it.
class CopyingReader {
 public:
  CopyingReader(int memfd, std::uint64_t ring_offset, std::uint64_t ring_bytes);

  // The next frame below `head`, a value loaded from shared memory; nullopt: none.
  Result<std::optional<Frame>> next(std::uint64_t head);
  // Bytes consumed, the frame last returned included: it is a copy.
  std::uint64_t position() const { return position_; }

 private:
  Result<void> check_head(std::uint64_t head);
  Result<void> fill(std::uint64_t at_least);
  std::uint64_t copied() const { return copied_to_ - position_; }

  int memfd_;
  std::uint64_t ring_offset_, ring_bytes_;
  std::uint64_t head_ = 0;                         // highest accepted
  std::uint64_t position_ = 0;                     // of the next frame
  std::uint64_t copied_from_ = 0, copied_to_ = 0;  // what copy_ holds
  std::vector<std::uint8_t> copy_;
};

// Follows an index that the other side writes: it rises, and never above what there is.
class PeerIndex {
 public:
  explicit PeerIndex(const char* name) : name_(name) {}
  // Error::protocol: it went back, passed `most` or is not aligned.
  Result<std::uint64_t> accept(std::uint64_t seen, std::uint64_t most);

 private:
  const char* name_;
  std::uint64_t last_ = 0;
};

}  // namespace cape::child
