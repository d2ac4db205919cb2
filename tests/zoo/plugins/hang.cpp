// Never returns. config = { heartbeat = true }: tells the host all the while that it is alive.
#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : Animal(config, host), heartbeat_(config.get("heartbeat", false)) {}

 private:
  cape::Outcome misbehave(const cape::Event&, cape::Call& call) override {
    for (volatile bool forever = true; forever;) {
      if (heartbeat_) call.heartbeat();
    }
    return cape::Outcome::ok();
  }

  bool heartbeat_;
};

}  // namespace

CAPE_LAMBDA(Guest, "hang", "1.0.0")
