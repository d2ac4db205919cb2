// Allocates and touches memory without end. The limit of the child must stop it; 4 GiB stops it if that
// fails, so that a broken sandbox does not take the machine down.
#include <cstring>
#include <new>

#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    constexpr std::size_t block_bytes = 16u << 20;
    for (std::size_t taken = 0; taken < (std::size_t{4} << 30); taken += block_bytes) {
      void* volatile block = ::operator new(block_bytes);  // volatile: or nobody would see the touch
      std::memset(block, 0x5A, block_bytes);
    }
    return cape::Outcome::ok();  // nothing held it
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "alloc", "1.0.0")
