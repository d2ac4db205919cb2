// Asks for another attempt as long as the attempt is below config `attempts` (default 3): with 3, the event
// succeeds at its fourth run.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : Animal(config, host), attempts_(config.get<std::uint32_t>("attempts", 3)) {}

 private:
  cape::Outcome misbehave(const cape::Event& event, cape::Call&) override {
    if (event.attempt() >= attempts_) return cape::Outcome::ok();
    return cape::Outcome::retry("attempt " + std::to_string(event.attempt()) + " is not enough");
  }

  std::uint32_t attempts_;
};

}  // namespace

CAPE_LAMBDA(Guest, "retry_n", "1.0.0")
