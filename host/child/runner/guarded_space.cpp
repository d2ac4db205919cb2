#include "host/child/runner/guarded_space.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace cape::child {
namespace {

constexpr std::uint64_t room_alignment = 16;
// No text, no small number. Two words that are stored whole, wherever in them the room ends.
constexpr std::uint64_t room_pattern[2] = {0xE19C'F3A5'D7B5'8EF9, 0xB5DC'93F8'ADEB'96C9};
static_assert(sizeof room_pattern == room_alignment && std::endian::native == std::endian::little);

// Whether the bytes of `word` from number `from` on, 0..8, are as in `pattern`.
bool is_kept(std::uint64_t word, std::uint64_t pattern, std::uint64_t from) {
  return from >= sizeof word || (word ^ pattern) >> (8 * from) == 0;
}

std::uint64_t page_of_guard() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

GuardedSpace::~GuardedSpace() {
  unmap();
}

std::uint8_t* GuardedSpace::take(std::uint64_t bytes) {
  if ((at_ == nullptr || bytes > room_) && !grow(bytes)) return nullptr;
  std::uint8_t* const guard = at_ + room_;
  taken_ = guard - (bytes + room_alignment - 1) / room_alignment * room_alignment;
  bytes_ = bytes;
  std::memcpy(guard - room_alignment, room_pattern, room_alignment);
  return taken_;
}

// By words: memcmp() looks over the end of a page with masked loads, and one that is masked at a page nobody
// may touch costs thousands of cycles.
bool GuardedSpace::is_whole() const {
  const std::uint8_t* const words = at_ + room_ - room_alignment;
  std::uint64_t found[2];
  std::memcpy(found, words, sizeof found);
  const auto room_end = static_cast<std::uint64_t>(taken_ + bytes_ - words);
  return is_kept(found[0], room_pattern[0], room_end) &&
         is_kept(found[1], room_pattern[1], std::max<std::uint64_t>(room_end, 8) - 8);
}

std::string_view GuardedSpace::front(std::uint64_t bytes) const {
  return {reinterpret_cast<const char*>(taken_), bytes};
}

// To the next power of two, so that outputs which grow bit by bit do not map anew each time.
bool GuardedSpace::grow(std::uint64_t bytes) {
  unmap();
  const std::uint64_t page = page_of_guard(), room = std::max(page, std::bit_ceil(bytes));
  void* at = ::mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return false;
  at_ = static_cast<std::uint8_t*>(at);
  room_ = room;
  if (::mprotect(at_ + room, page, PROT_NONE) == 0) return true;
  unmap();
  return false;
}

void GuardedSpace::unmap() {
  if (at_ != nullptr) ::munmap(at_, room_ + page_of_guard());
  at_ = taken_ = nullptr;
  room_ = bytes_ = 0;
}

}  // namespace cape::child
