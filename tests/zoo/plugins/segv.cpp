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

#ifndef GUEST_ID
#define GUEST_ID "segv"
#define GUEST_VERSION "1.0.0"
#endif
CAPE_LAMBDA(Guest, GUEST_ID, GUEST_VERSION)
