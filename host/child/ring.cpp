#include "host/child/ring.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace cape::child {
namespace {

constexpr std::uint64_t copy_bytes = 64u << 10;  // one pread; a larger frame gets one of its own size

std::unexpected<Error> breach(const std::string& what) {
  return fail(ErrorCode::protocol, what);
}

// Checks a header found at `position` with `available` bytes published from there on.
Result<void> check_header(FrameHeader header, std::uint64_t position, std::uint64_t available,
                          std::uint64_t ring_bytes) {
  const std::uint64_t to_end = ring_bytes - position % ring_bytes;
  const std::string size = std::to_string(header.bytes);
  if (header.bytes < sizeof(FrameHeader) || header.bytes % frame_align != 0)
    return breach("frame size " + size + " is not a multiple of 8 of at least 8");
  if (header.bytes > available) return breach("frame size " + size + " is above the bytes published");
  if (header.bytes > to_end) return breach("frame size " + size + " crosses the end of the ring");
  if (header.kind == padding_kind && header.bytes != to_end)
    return breach("padding of " + size + " bytes does not end with the ring");
  if (header.kind != padding_kind && header.bytes > frame_bytes_max(ring_bytes))
    return breach("frame size " + size + " is above the largest frame");
  return {};
}

FrameHeader header_at(const std::uint8_t* at) {
  FrameHeader header;
  std::memcpy(&header, at, sizeof header);
  return header;
}

Frame frame_at(const std::uint8_t* at, FrameHeader header) {
  return {.kind = header.kind, .body = {at + sizeof header, header.bytes - sizeof header}};
}

}  // namespace

std::optional<RingWriter::Slot> RingWriter::find(std::uint64_t body_bytes, std::uint64_t tail) const {
  CAPE_CHECK(body_bytes <= body_bytes_max(ring_bytes_) && tail <= head_);
  const std::uint64_t to_end = ring_bytes_ - head_ % ring_bytes_;
  Slot slot{.bytes = frame_bytes(body_bytes)};
  slot.padding = slot.bytes > to_end ? to_end : 0;
  slot.place = (head_ + slot.padding) % ring_bytes_;
  if (slot.padding + slot.bytes > free_bytes(tail)) return std::nullopt;
  return slot;
}

std::uint8_t* RingWriter::take(const Slot& slot, std::uint32_t kind) {
  if (slot.padding > 0) {
    const FrameHeader padding{.bytes = static_cast<std::uint32_t>(slot.padding), .kind = padding_kind};
    std::memcpy(ring_ + head_ % ring_bytes_, &padding, sizeof padding);
  }
  const FrameHeader header{.bytes = static_cast<std::uint32_t>(slot.bytes), .kind = kind};
  std::memcpy(ring_ + slot.place, &header, sizeof header);
  head_ += slot.padding + slot.bytes;
  return ring_ + slot.place + sizeof header;
}

Result<std::optional<Frame>> InPlaceReader::next(std::uint64_t head) {
  while (position_ != head) {
    const std::uint8_t* at = ring_ + position_ % ring_bytes_;
    const FrameHeader header = header_at(at);
    if (Result<void> good = check_header(header, position_, head - position_, ring_bytes_); !good)
      return std::unexpected(good.error());
    position_ += header.bytes;
    if (header.kind != padding_kind) return frame_at(at, header);
  }
  return std::nullopt;
}

CopyingReader::CopyingReader(int memfd, std::uint64_t ring_offset, std::uint64_t ring_bytes)
    : memfd_(memfd), ring_offset_(ring_offset), ring_bytes_(ring_bytes) {}

Result<void> CopyingReader::check_head(std::uint64_t head) {
  if (head < head_)
    return breach("response head went back from " + std::to_string(head_) + " to " + std::to_string(head));
  if (head % frame_align != 0)
    return breach("response head " + std::to_string(head) + " is not a multiple of 8");
  if (head - position_ > ring_bytes_)
    return breach("response head " + std::to_string(head) + " is more than a ring above the tail " +
                  std::to_string(position_));
  head_ = head;
  return {};
}

// Copies from position_ on, at least `at_least` bytes (which are published and do not cross the end).
Result<void> CopyingReader::fill(std::uint64_t at_least) {
  const std::uint64_t place = position_ % ring_bytes_;
  const std::uint64_t reachable = std::min(head_ - position_, ring_bytes_ - place);
  const std::uint64_t wanted = std::max(at_least, std::min(reachable, copy_bytes));
  const std::uint64_t room = std::max(wanted, copy_bytes);
  if (copy_.size() != room)
    std::vector<std::uint8_t>(room).swap(copy_);  // a rare giant's memory is given back
  std::uint64_t done = 0;
  while (done < wanted) {
    const ssize_t n =
        ::pread(memfd_, copy_.data() + done, wanted - done, static_cast<off_t>(ring_offset_ + place + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(ErrorCode::io, "the response ring can not be read", errno);
    if (n == 0) return breach("the response ring ends early");
    done += static_cast<std::uint64_t>(n);
  }
  copied_from_ = position_;
  copied_to_ = position_ + wanted;
  return {};
}

Result<std::optional<Frame>> CopyingReader::next(std::uint64_t head) {
  if (Result<void> good = check_head(head); !good) return std::unexpected(good.error());
  while (position_ != head_) {
    if (copied() < sizeof(FrameHeader))
      if (Result<void> filled = fill(sizeof(FrameHeader)); !filled) return std::unexpected(filled.error());
    // What counts is the copy: a frame that was only half in it is copied, and its header checked, again.
    FrameHeader header = header_at(copy_.data() + (position_ - copied_from_));
    if (Result<void> good = check_header(header, position_, head_ - position_, ring_bytes_); !good)
      return std::unexpected(good.error());
    if (header.kind != padding_kind && header.bytes > copied()) {
      const std::uint32_t bytes = header.bytes;
      if (Result<void> filled = fill(bytes); !filled) return std::unexpected(filled.error());
      header = header_at(copy_.data());
      if (header.bytes != bytes || header.kind == padding_kind)
        return breach("frame header changed while it was read");
    }
    const std::uint8_t* at = copy_.data() + (position_ - copied_from_);
    position_ += header.bytes;
    if (header.kind != padding_kind) return frame_at(at, header);
    copied_to_ = copied_from_ = position_;  // padding may reach past the copy
  }
  return std::nullopt;
}

Result<std::uint64_t> PeerIndex::accept(std::uint64_t seen, std::uint64_t most) {
  if (seen < last_)
    return breach(std::string(name_) + " went back from " + std::to_string(last_) + " to " +
                  std::to_string(seen));
  if (seen > most)
    return breach(std::string(name_) + " " + std::to_string(seen) + " is above the " + std::to_string(most) +
                  " bytes written");
  if (seen % frame_align != 0)
    return breach(std::string(name_) + " " + std::to_string(seen) + " is not a multiple of 8");
  last_ = seen;
  return seen;
}

}  // namespace cape::child
