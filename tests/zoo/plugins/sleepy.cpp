// Sleeps over the events of its subject for config `sleep_ms` (default 60 000), deaf to cancellation, and
// succeeds. Wants no grant, so that it may run in several children.
#include <chrono>
#include <thread>

#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : Animal(config, host), sleep_(config.get<std::int64_t>("sleep_ms", 60'000)) {}

 private:
  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    std::this_thread::sleep_for(sleep_);
    return cape::Outcome::ok();
  }

  std::chrono::milliseconds sleep_;
};

}  // namespace

CAPE_LAMBDA(Guest, "sleepy", "1.0.0")
