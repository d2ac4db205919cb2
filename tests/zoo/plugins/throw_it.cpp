// Throws out of its event.
#include "recorder.hpp"

#include <stdexcept>

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    throw std::runtime_error("thrown by the zoo");
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "throw_it", "1.0.0")
