// Calls a service that is down while a file `down` lies in its state directory: every event asks for another
// attempt until somebody removes it.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : Animal(config, host), sign_(std::string(host.state_dir()) + "/down") {}

 private:
  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    if (::access(sign_.c_str(), F_OK) != 0) return cape::Outcome::ok();
    return cape::Outcome::retry("the service is down");
  }

  std::string sign_;
};

}  // namespace

CAPE_LAMBDA(Guest, "down", "1.0.0", CAPE_WANTS_STATE)
