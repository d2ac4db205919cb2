// GuardedSpace is where a plugin writes an output in place. What is handed out ends before a page that nobody
// may touch: a write past it ends the plugin there and then and lands in nothing else. The few bytes that
// alignment leaves before that page hold a pattern, which tells of a write that stopped short of it.
//
//   [ never handed out ][ taken: bytes ][ pattern: 0..15 bytes ][ guard page ]
//
// Mapped when it is first needed and again when it has to grow; otherwise handing out is arithmetic.
// Thread: that of the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cape::child {

class GuardedSpace {
 public:
  GuardedSpace() = default;
  ~GuardedSpace();
  GuardedSpace(const GuardedSpace&) = delete;
  GuardedSpace& operator=(const GuardedSpace&) = delete;

  // Room for `bytes`, aligned to 16, with whatever was written there before; what was taken earlier is gone.
  // Null: there is no memory.
  std::uint8_t* take(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_; }  // of the last take()
  // Nothing was written between the room and its guard page. Requires: a take() that was not null.
  bool is_whole() const;
  std::string_view front(std::uint64_t bytes) const;  // requires: bytes <= bytes()

 private:
  bool grow(std::uint64_t bytes);
  void unmap();

  std::uint8_t* at_ = nullptr;  // of the mapping
  std::uint64_t room_ = 0;      // of it, without its guard page
  std::uint8_t* taken_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace cape::child
