// Forks, and its children fork. OK means that it could; FAILED that it was refused and lived to tell. Bounded
// in depth and time, so that a broken sandbox does not take the machine down.
#include <sys/types.h>

#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    for (int generation = 0; generation < 6; ++generation) {
      const pid_t child = ::fork();
      if (child < 0)
        return cape::Outcome::failed("fork() was refused: errno " + std::to_string(errno)).with_code(errno);
      if (child == 0) child_ = true;
    }
    if (child_) {
      ::alarm(30);
      ::pause();  // a leftover that the test must find gone
      ::_exit(0);
    }
    return cape::Outcome::ok();
  }

  bool child_ = false;
};

}  // namespace

CAPE_LAMBDA(Guest, "fork_bomb", "1.0.0")
