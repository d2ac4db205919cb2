// Calls abort().
#include "recorder.hpp"

#include <cstdlib>

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override { std::abort(); }
};

}  // namespace

CAPE_LAMBDA(Guest, "abort_it", "1.0.0")
