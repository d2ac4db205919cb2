// Fails for good.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    return cape::Outcome::failed("the zoo never does this one").with_code(17);
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "fail_perm", "1.0.0")
