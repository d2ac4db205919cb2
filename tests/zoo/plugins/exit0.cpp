// Ends its process as if all were well.
#include "recorder.hpp"

#include <cstdlib>

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override { std::exit(0); }
};

}  // namespace

CAPE_LAMBDA(Guest, "exit0", "1.0.0")
