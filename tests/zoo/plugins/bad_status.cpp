// Returns a status that nobody has defined.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override { return cape::Outcome::of(4242); }
};

}  // namespace

CAPE_LAMBDA(Guest, "bad_status", "1.0.0")
