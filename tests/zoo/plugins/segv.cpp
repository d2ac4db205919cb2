// Writes through a null pointer.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    volatile int* volatile nowhere = nullptr;  // both: else the store may go
    *nowhere = 1;
    return cape::Outcome::ok();
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "segv", "1.0.0")
