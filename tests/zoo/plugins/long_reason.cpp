// Fails for good, with a longer reason than is kept.
#include <string>

#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    return cape::Outcome::failed(std::string(1024, 'r'));
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "long_reason", "1.0.0")
